"""What the trade page and the list of markets show beside orders: a starred market."""

from __future__ import annotations

from datetime import datetime

from exchange.site.services import favourites
from tests.pages.world import World


def fill(world: World, now: datetime) -> None:
    favourites.mark(user_id=world.customer, symbols=["LTC-USDT"], wanted=True, now=now)
