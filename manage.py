#!/usr/bin/env python
"""Django's command line. Settings are chosen by DJANGO_SETTINGS_MODULE; without it, a developer's own machine is meant."""

import os
import sys


def main() -> None:
    # Cold coins are signed for on a machine that has a clone and a device, and neither a database nor a keystore.
    by_hand = sys.argv[1:3] in (["custody", "sign"], ["custody", "verify"])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"config.settings.{'offline' if by_hand else 'dev'}")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
