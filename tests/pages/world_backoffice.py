"""What the back office's own pages show: a month of figures, coins hot and cold, and proposals of each sort that wait."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from exchange.accounts.services import email_changes
from exchange.backoffice.models import Figure
from exchange.proposals import services as proposals
from trading.models import Market
from wallets.models import HotLevel

if TYPE_CHECKING:
    from tests.pages.world import World

BTC, USDT = 1, 4


def fill(world: World, now: datetime) -> None:
    kind = Figure.Kind
    rows = []
    for back in range(31):
        day, wave = (now - timedelta(days=back)).date(), 7 + (back * 5) % 11 - back // 4
        for name, asset_id, units in (
            (kind.SIGN_UPS, 0, max(0, wave * 3)), (kind.VOLUME, USDT, wave * 41_000 * 10**6),
            (kind.FEES, USDT, (31 - back) * 900 * 10**6), (kind.DEPOSITS, BTC, wave * 10**7),
            (kind.WITHDRAWALS, BTC, max(1, wave - 3) * 10**7),
        ):  # fmt: skip
            rows.append(Figure(day=day, kind=name, asset_id=asset_id, units=units, counted_at=now))
    Figure.objects.bulk_create(rows, ignore_conflicts=True)
    for network_id, asset_id, hot in ((1, BTC, 3), (2, 2, 40), (3, 3, 12)):
        unit = 10**18 if asset_id == 3 else 10**8
        HotLevel.objects.get_or_create(
            network_id=network_id, asset_id=asset_id,
            defaults={"hot": hot * unit, "deposit": hot * unit // 4, "cold": hot * unit * 8, "leaving": 0, "target": hot * unit,
                      "looked_at": now, "low_since": now if asset_id == 2 else None},
        )  # fmt: skip
    market = Market.objects.order_by("id").first()
    if market is not None:
        proposals.propose(
            kind="market.rules", subject=f"market:{market.symbol}", after={"maker_fee_ppm": 800, "taker_fee_ppm": 1_500},
            reason="Agreed with the market makers for the winter.", actor_id=world.other_staff, now=now,
        )  # fmt: skip
    email_changes.propose(
        user_id=world.empty, email="new.address@example.com", reason="Seen in a video call, with the passport.",
        actor_id=world.other_staff, now=now - timedelta(hours=3),
    )  # fmt: skip
