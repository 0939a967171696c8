"""`manage.py kyc erase|status|sweep`: forgetting customers' documents by hand, and what is left over.

What must never happen here: an erasure without a reason on record.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from exchange.core.errors import DomainError
from exchange.secrets import subjects
from kyc import sealing
from kyc.services import erasing


def add(commands: Any) -> None:
    erase = commands.add_parser("erase", help="destroy a customer's key, words and pictures")
    erase.add_argument("--user", type=int, required=True, help="the customer's id")
    erase.add_argument("--reason", required=True, help="stands in the audit")
    erase.add_argument("--actor", type=int, help="the id of the member of staff who does it")
    erase.add_argument(
        "--despite-retention", action="store_true", help="before the time of keeping is over, where a duty asks for it"
    )
    erase.set_defaults(run=_erase)
    commands.add_parser("status", help="who is due to be erased").set_defaults(run=_status)
    commands.add_parser("sweep", help="remove files without a row").set_defaults(run=_sweep)


def _erase(command: BaseCommand, options: dict[str, Any]) -> None:
    try:
        pictures = erasing.erase(
            user_id=options["user"],
            reason=options["reason"],
            actor_id=options["actor"],
            despite_retention=options["despite_retention"],
            origin="manage.py",
            now=timezone.now(),
        )
    except DomainError as refused:
        raise CommandError(refused.message) from None
    command.stdout.write(f"Customer {options['user']}: the key is destroyed, {pictures} pictures are gone.")


def _status(command: BaseCommand, options: dict[str, Any]) -> None:
    due = erasing.due(now=timezone.now())
    command.stdout.write(f"Due to be erased: {', '.join(map(str, due)) or 'nobody'}.")


def _sweep(command: BaseCommand, options: dict[str, Any]) -> None:
    now = timezone.now()
    command.stdout.write(f"{sealing.sweep(now=now)} pictures and {subjects.sweep(now=now)} keys without a row removed.")
