"""`manage.py notifications …`: the key for pushes to browsers, and what is owed."""

from __future__ import annotations

import base64
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from exchange.notifications import selectors
from exchange.notifications.models import Provider


class Command(BaseCommand):
    help = "make_vapid_key: a private key for WEB_PUSH_VAPID_PRIVATE_KEY. status: what waits, and which providers are down."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", choices=["make_vapid_key", "status"])

    def handle(self, *args: Any, **options: Any) -> None:
        if options["job"] == "make_vapid_key":
            number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
            self.stdout.write(base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode())
            return
        backlog = selectors.backlog(now=timezone.now())
        for channel, count in backlog.waiting.items():
            self.stdout.write(f"{channel}: {count} waiting")
        self.stdout.write(f"given up: {backlog.dead}; the oldest is due since {backlog.oldest_due or '-'}")
        for provider in Provider.objects.exclude(failures=0).order_by("name"):
            self.stdout.write(
                f"{provider.name}: {provider.failures} failures, left alone until {provider.paused_until or '-'}"
            )
