"""`manage.py wallets …`: what an operator does by hand in this room. Everything is safe to repeat."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from exchange.core.errors import DomainError
from wallets import selectors
from wallets.chains.protocol import ChainError
from wallets.services import scanning, xpubs


class Command(BaseCommand):
    help = "Registers public keys, shows the networks, scans and rescans by hand."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        importing = commands.add_parser("import_xpubs", help="register the public keys that `custody show` wrote")
        importing.add_argument("file", type=Path)
        commands.add_parser("status", help="how each network's node and scanner do")
        commands.add_parser("hot", help="the hot wallet's addresses, to fund them")
        once = commands.add_parser("scan", help="follow a node once")
        once.add_argument("network")
        again = commands.add_parser("rescan", help="match blocks again from a height on; credits nothing twice")
        again.add_argument("network")
        again.add_argument("--from", dest="from_height", type=int, required=True, help="the first height")
        again.add_argument(
            "--to", dest="to_height", type=int, help="the last height; as far as was scanned when left out"
        )
        going = commands.add_parser("resume", help="let a halted scanner go on")
        going.add_argument("network")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['command']}")(options)
        except (DomainError, ChainError) as error:
            raise CommandError(str(error)) from None

    def _import_xpubs(self, options: dict[str, Any]) -> None:
        try:
            document = json.loads(options["file"].read_text())
        except (OSError, ValueError) as error:
            raise CommandError(f"{options['file']} cannot be read: {error}") from None
        for line in xpubs.import_file(document=document, now=timezone.now()):
            self.stdout.write(line)

    def _status(self, options: dict[str, Any]) -> None:
        for view in selectors.networks():
            state = view.halted or view.last_error or ("ok" if view.ok else "not looked at yet")
            self.stdout.write(f"{view.network}: tip {view.tip_height}, scanned {view.scanned_height}: {state}")
            for source in view.sources:
                found = source.disagrees or source.error or source.state
                self.stdout.write(f"  {source.name}: tip {source.tip_height}: {found}")

    def _hot(self, options: dict[str, Any]) -> None:
        for view in selectors.hot_addresses():
            self.stdout.write(f"{view.network} {view.address}")

    def _scan(self, options: dict[str, Any]) -> None:
        self.stdout.write(str(scanning.scan(network=options["network"], now=timezone.now())))

    def _rescan(self, options: dict[str, Any]) -> None:
        blocks = scanning.rescan(
            network=options["network"],
            from_height=options["from_height"],
            to_height=options["to_height"],
            now=timezone.now(),
        )
        self.stdout.write(f"{blocks} blocks matched again")

    def _resume(self, options: dict[str, Any]) -> None:
        scanning.resume(network=options["network"], now=timezone.now())
        self.stdout.write(
            "The scanner goes on. Lift the stop of withdrawals when you have looked: manage.py ledger lift"
        )
