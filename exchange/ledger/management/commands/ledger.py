"""`manage.py ledger`: prove the book, note its chains' heads, reconcile it now, see, set and lift stops.

What must never happen here: a stop lifted without a reason, or an exit code of 0 for a book that is wrong.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from exchange.core.errors import DomainError
from exchange.ledger import reconciliation, selectors, verification
from exchange.ledger.services import days, stops


class Command(BaseCommand):
    help = "Prove the ledger (verify, heads), reconcile it (reconcile), see, set and lift stops (stops, stop, lift)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verify = verbs.add_parser("verify", help="recompute everything; name the first wrong row and exit 1")
        verify.add_argument("--quiet", action="store_true", help="print the result alone")
        verify.add_argument(
            "--noted", metavar="FILE", help="heads kept from `ledger heads`: each must still be in its chain"
        )
        verbs.add_parser("heads", help="print the head of each hash chain, to be kept elsewhere")
        reconcile = verbs.add_parser("reconcile", help="check balances, held and the outside now; exit 1 on a mismatch")
        reconcile.add_argument("--full", action="store_true", help="add all entries up again")
        by_day = verbs.add_parser("days", help="work a customer's daily sums out anew from the entries")
        by_day.add_argument("--owner", type=int, required=True, help="the customer's id")
        verbs.add_parser("stops", help="list the stops in force")
        stop = verbs.add_parser("stop", help="stop something for everybody")
        stop.add_argument("scope", help=f"{', '.join(stops.SCOPES)}, or withdrawals:ASSET")
        stop.add_argument("--reason", required=True)
        lift = verbs.add_parser("lift", help="lift a stop")
        lift.add_argument("stop_id", type=int)
        lift.add_argument("--reason", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['verb']}")(**options)
        except DomainError as error:
            raise CommandError(error.message) from error

    def _days(self, *, owner: int, **options: Any) -> None:
        days.gather()
        accounts = selectors.account_ids(owner_id=owner)
        wrong = days.mend(account_ids=sorted(accounts.values()), now=timezone.now())
        self.stdout.write(f"{len(accounts)} accounts worked out anew, {wrong} days were wrong")

    def _verify(self, *, quiet: bool = False, noted: str | None = None, **options: Any) -> None:
        began = time.monotonic()

        def progress(text: str) -> None:
            if not quiet:
                self.stdout.write(f"{time.monotonic() - began:7.1f} s  {text}")

        result = verification.verify(progress=progress, noted=_read_heads(noted) if noted else ())
        if result.finding is not None:
            self.stderr.write(f"WRONG  {result.finding}")
            sys.exit(1)
        self.stdout.write(
            f"The ledger is right: {result.transfers} transfers, {result.entries} entries, {result.batches} batches, "
            f"{result.accounts} accounts, every hash, sum and balance computed again."
        )

    def _heads(self, **options: Any) -> None:
        for head in verification.heads():
            self.stdout.write(str(head))

    def _reconcile(self, *, full: bool = False, **options: Any) -> None:
        report = reconciliation.run(now=timezone.now(), full=full)
        for name in report.unreachable:
            self.stdout.write(f"UNREACHABLE  {name}")
        for mismatch in report.surpluses:
            self.stdout.write(f"SURPLUS      account {mismatch.account_id}: {mismatch.detail}")
        for mismatch in report.mismatches:
            where = f"account {mismatch.account_id}" if mismatch.account_id else f"asset {mismatch.asset_id}"
            self.stderr.write(f"MISMATCH     {mismatch.sort}: {where}: {mismatch.detail}")
        if not report.ok:
            self.stderr.write("Withdrawals are stopped (see `ledger stops`).")
            sys.exit(1)
        self.stdout.write("Reconciled: no mismatch.")

    def _stops(self, **options: Any) -> None:
        active = selectors.stops.active()
        for stop in active:
            since = stop.created_at.isoformat(timespec="seconds")
            self.stdout.write(f"{stop.id}  {stop.scope}  since {since}  by {stop.source}: {stop.reason}")
        if not active:
            self.stdout.write("Nothing is stopped.")

    def _stop(self, *, scope: str, reason: str, **options: Any) -> None:
        stop_id = stops.stop(scope=scope, reason=reason, now=timezone.now(), source="console")
        self.stdout.write(f"Stop {stop_id}: {scope} stopped.")

    def _lift(self, *, stop_id: int, reason: str, **options: Any) -> None:
        stops.lift(stop_id=stop_id, reason=reason, actor=None, now=timezone.now())
        self.stdout.write(f"Stop {stop_id} lifted.")


def _read_heads(path: str) -> list[verification.Head]:
    try:
        return [verification.Head.parse(line) for line in Path(path).read_text().splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} does not hold what `ledger heads` prints: {error}") from error
