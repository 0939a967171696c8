"""What the wallet's pages show beside coins: worth by day, bank transfers in each state, statements, tiers of fees."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from exchange.assets.models import RateDay, RateHistory
from exchange.fiat.services import deposits as bank
from exchange.ledger.services import days
from exchange.site.services import statements
from tests.pages.world import World
from trading import fee_selectors
from trading.services import fees


def fill(world: World, now: datetime) -> None:
    for row in RateHistory.objects.order_by("as_of"):
        RateDay.objects.update_or_create(
            asset_id=row.asset_id,
            day=row.as_of.astimezone(UTC).date(),
            defaults={"price": row.price, "as_of": row.as_of},
        )
    bank.announce(user_id=world.customer, amount="2500", now=now)
    came, gone = (bank.announce(user_id=world.customer, amount="900", now=now - timedelta(days=9)) for _ in range(2))
    bank.settle(
        deposit_id=came.id, bank_reference="9F21-77", amount="900", actor_id=world.staff, now=now - timedelta(days=7)
    )
    bank.cancel(user_id=world.customer, deposit_id=gone.id, now=now - timedelta(days=6))
    if not fee_selectors.tiers():
        for name, volume, maker, taker in (("Regular", "10000", 900, 1_800), ("Active", "250000", 700, 1_500)):
            fees.add_tier(
                name=name, volume_from=volume, maker_fee_ppm=maker, taker_fee_ppm=taker, actor_id=world.staff, now=now
            )
    days.gather()
    for format in ("pdf", "csv"):
        statements.request(
            user_id=world.customer, format=format, asset="", since=(now - timedelta(days=30)).date(), until=now.date(),
            language="en", now=now,
        )  # fmt: skip
