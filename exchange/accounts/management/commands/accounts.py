"""What is done about accounts at the machine itself, for the day when no staff can get in: the last superuser froze himself.

What must never happen here: a deed without a reason, or one that leaves no line in the audit.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from exchange.accounts.services import freezing
from exchange.core.errors import DomainError


class Command(BaseCommand):
    help = "Opens an account again that its owner froze."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        lift = commands.add_parser("lift", help="lift the freeze that an owner made with “this was not me”")
        lift.add_argument("--user", type=int, required=True, help="the person's number")
        lift.add_argument("--reason", required=True, help="why; it is kept in the audit, without personal data")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            freezing.lift(user_id=options["user"], reason=options["reason"], actor_id=None, now=timezone.now())
        except DomainError as error:
            raise CommandError(f"{error.code}: {error.message}") from None
        self.stdout.write("The freeze is lifted. They choose a new password by e-mail.")
