"""`manage.py audit verify [--anchor SEQ:HASH]` recomputes the chain; `audit tip` prints its end, to be noted elsewhere."""

import re

from django.core.management.base import BaseCommand, CommandError

from exchange.audit import selectors


class Command(BaseCommand):
    help = "Check the audit's hash chain, or print where it ends."

    def add_arguments(self, parser):
        commands = parser.add_subparsers(dest="command", required=True)
        verify = commands.add_parser("verify", help="recompute every seal and name the first wrong record")
        verify.add_argument("--anchor", help="a tip noted earlier, SEQ:HASH; the chain must still run through it")
        commands.add_parser("tip", help="print SEQ:HASH of the chain's end")

    def handle(self, *args, command, anchor=None, **options):
        if command == "tip":
            self.stdout.write(str(selectors.tip()))
            return
        result = selectors.verify(anchor=_tip(anchor) if anchor else None)
        if result.problem is not None:
            named = f"record {result.problem.record_id}" if result.problem.record_id is not None else "a record"
            raise CommandError(
                f"The audit was tampered with. First wrong: {named} {result.problem.what} "
                f"(place {result.problem.seq}; {result.checked} before it are good)."
            )
        self.stdout.write(f"{result.checked} records, every seal good. Tip {result.tip}")


def _tip(text):
    match = re.fullmatch(r"([0-9]{1,18}):([0-9a-f]{64})", text)
    if match is None:
        raise CommandError("An anchor is SEQ:HASH, as `manage.py audit tip` prints it.")
    return selectors.Tip(seq=int(match[1]), hash=match[2])
