"""`manage.py solvency`: what we owe and what is seen of it, asset by asset.

It ends with 1 where an asset is short, and with 2 where that cannot be told.
"""

import sys

from django.core.management.base import BaseCommand
from django.utils import timezone

from exchange.compliance import selectors
from exchange.core import amounts

VERDICTS = {True: "covered", False: "SHORT", None: "not fully seen"}


class Command(BaseCommand):
    help = "Compare what customers are owed with what nodes and banks show."

    @staticmethod
    def _where(asset):
        """Where it was seen."""
        places = {**asset.parts, "bank": asset.other, "under way": asset.pending}
        seen = [f"{place} {_signed(amount, asset.decimals)}" for place, amount in places.items() if amount]
        return ", ".join(seen) or "seen nowhere"

    def handle(self, *args, **options):
        report = selectors.solvency(now=timezone.now())
        self.stdout.write(f"{'':6} {'owed':>26} {'seen':>26} {'our own':>26}  verdict")
        for asset in report.assets:
            owed, seen, own = (
                amounts.format(amount, decimals=asset.decimals) for amount in (asset.owed, asset.seen, asset.own)
            )
            self.stdout.write(f"{asset.code:6} {owed:>26} {seen:>26} {own:>26}  {VERDICTS[asset.covered]}")
            self.stdout.write(f"       {self._where(asset)}")
        for name in report.unreachable:
            self.stdout.write(f"Could not look: {name}")
        self.stdout.write({True: "Solvent.", False: "NOT solvent.", None: "Cannot be told."}[report.solvent])
        if report.solvent is not True:
            sys.exit(1 if report.solvent is False else 2)


def _signed(amount, decimals):
    text = amounts.format(abs(amount), decimals=decimals)
    return f"-{text}" if amount < 0 else text
