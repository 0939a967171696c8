"""`manage.py kyc …`: each part of the room adds its own words to it."""

from typing import Any

from django.core.management.base import BaseCommand

from kyc import erasing_commands
from kyc.screening import commands as screening_commands


class Command(BaseCommand):
    help = "Identity checks by hand: erase, status, sweep; sanctions lists: load_sanctions, sanctions, rescreen."

    def add_arguments(self, parser: Any) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        erasing_commands.add(commands)
        screening_commands.add(commands)

    def handle(self, *args: Any, run: Any, **options: Any) -> None:
        run(self, options)
