"""`manage.py custody …`, under the signer's settings only: keys, ceremony and restore, rotation, limits, cold wallets.

`custody sign` alone runs anywhere: its keys are in a device. What must never happen here: a seed on a terminal unasked, an
existing keystore touched, or a run under the web's settings.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from custody import by_hand
from custody.commands import ceremony, cold, errors, keys, limits


class Command(BaseCommand):
    help = "The signer's keys, limits and cold wallets (needs DJANGO_SETTINGS_MODULE=config.settings.signer)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        for module in (keys, ceremony, limits, cold):
            module.add_arguments(actions)
        by_hand.add_arguments(actions.add_parser("sign", help="sign for cold coins, on your own machine"))
        showing = actions.add_parser(
            "verify", help="have a Trezor show a cold wallet's first address, on your own machine"
        )
        by_hand.add_verify_arguments(showing)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] in ("sign", "verify"):
            self._by_hand(options)
            return
        if not getattr(settings, "KEYSTORE_PATH", ""):
            raise CommandError(
                "This runs where the keys are: DJANGO_SETTINGS_MODULE=config.settings.signer, and KEYSTORE_PATH."
            )
        try:
            self._at_the_signer(options)
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from None
        except errors.TOLD as error:
            raise CommandError(str(error)) from None
        except (EOFError, KeyboardInterrupt):
            raise CommandError("Cut short. Begin again: what was not finished stands in the way of nothing.") from None

    def _at_the_signer(self, options: dict[str, Any]) -> None:
        say = self.stdout.write
        match options["action"]:
            case "init":
                keys.init(options, say=say)
            case "show":
                keys.show(options, say=say)
            case "rotate":
                keys.rotate(options, say=say)
            case "rewrap":
                keys.rewrap(options, say=say)
            case "ceremony":
                ceremony.ceremony(options, say=say)
            case "restore":
                ceremony.restore(options, say=say)
            case "log":
                ceremony.log(say=say)
            case "limit":
                limits.run(options, say=say)
            case "cold":
                cold.run(options, say=say)

    def _by_hand(self, options: dict[str, Any]) -> None:
        """Needs neither keystore nor database: the keys are in the device."""
        try:
            {"sign": by_hand.run, "verify": by_hand.verify}[options["action"]](options, say=self.stdout.write)
        except by_hand.NotSigned as why:
            raise CommandError(str(why)) from None
