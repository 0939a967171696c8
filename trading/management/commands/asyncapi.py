"""`manage.py asyncapi` prints docs/asyncapi.yaml as the code would have it; a test compares the two."""

from __future__ import annotations

from typing import Any

import yaml
from django.core.management.base import BaseCommand

from trading.asyncapi.document import document

HEAD = "# Made by `manage.py asyncapi > docs/asyncapi.yaml`; the suite refuses one that differs.\n"


class Plain(yaml.SafeDumper):
    """Without anchors: what two messages share is said twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def text() -> str:
    """The document as YAML."""
    return HEAD + yaml.dump(document(), Dumper=Plain, sort_keys=False, allow_unicode=True, width=130)


class Command(BaseCommand):
    """Prints the AsyncAPI document."""

    help = "print the AsyncAPI document of the websocket"
    requires_system_checks: list[str] = []

    def handle(self, *arguments: Any, **options: Any) -> None:
        self.stdout.write(text(), ending="")
