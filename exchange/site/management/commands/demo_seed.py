"""`manage.py demo_seed`: the demo's people and addresses. Prints the payments that they wait for, as one line of JSON."""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from exchange.core.errors import DomainError
from exchange.site.demo import seeding


class Command(BaseCommand):
    help = "Opens the demo's customers, staff and addresses. Log-ins come from DEMO_{CUSTOMER,STAFF}_{EMAIL,PASSWORD,FACTOR}."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--token", required=True, help="the contract that stands for USDT on the private chain")
        parser.add_argument("--xpubs", required=True, type=Path, help="the signer's public keys, from `custody init`")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            payments = seeding.seed(
                customer=_log_in("CUSTOMER"),
                member_of_staff=_log_in("STAFF"),
                token=options["token"],
                keys=json.loads(options["xpubs"].read_text()),
                now=timezone.now(),
            )
        except DomainError as error:
            raise CommandError(str(error)) from None
        # Amounts of ETH pass what a JSON number holds exactly, so they travel as strings.
        listed = [{**asdict(payment), "amount": str(payment.amount)} for payment in payments]
        self.stdout.write(json.dumps({"payments": listed}))


def _log_in(who: str) -> seeding.LogIn:
    try:
        email, password = os.environ[f"DEMO_{who}_EMAIL"], os.environ[f"DEMO_{who}_PASSWORD"]
        return seeding.LogIn(email, password, os.environ.get(f"DEMO_{who}_FACTOR", ""))
    except KeyError as missing:
        raise CommandError(f"Set {missing.args[0]}.") from None
