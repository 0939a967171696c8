"""`manage.py demo_traders`: demo customers quote and trade around a moving price until told to end."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from exchange.core.errors import DomainError
from exchange.site.demo import traders


class Command(BaseCommand):
    help = "Demo customers quote and trade on every market. Refused under config.settings.prod."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            asyncio.run(self._run())
        except* DomainError as group:
            raise CommandError(str(group.exceptions[0])) from None
        except* LookupError as group:
            raise CommandError(str(group.exceptions[0])) from None

    async def _run(self) -> None:
        trading = asyncio.ensure_future(traders.run())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, trading.cancel)
        try:
            await trading
        except asyncio.CancelledError:
            self.stdout.write("The demo's traders have ended.")
