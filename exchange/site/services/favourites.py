"""A customer's starred markets. What must never happen here: more rows than there are markets."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from exchange.site.models import Favourite
from trading import selectors as trading


def mark(*, user_id: int, symbol: str, wanted: bool, now: datetime) -> None:
    """Stars a market, or takes the star away; asked again it changes nothing. Raises MarketNotFound."""
    market_id = trading.market(symbol).id
    if wanted:
        Favourite.objects.bulk_create(
            [Favourite(user_id=user_id, market_id=market_id, added_at=now)], ignore_conflicts=True
        )
    else:
        Favourite.objects.filter(user_id=user_id, market_id=market_id).delete()


def take_over(*, user_id: int, symbols: Iterable[str], now: datetime) -> None:
    """Adds what was starred in a browser before the log-in; a market that is not there any more is passed over."""
    wanted = set(symbols)
    rows = [
        Favourite(user_id=user_id, market_id=market.id, added_at=now)
        for market in trading.markets()
        if market.symbol in wanted
    ]
    Favourite.objects.bulk_create(rows, ignore_conflicts=True)
