"""A customer's starred markets. What must never happen here: more rows than there are markets."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from exchange.site.models import Favourite
from trading import selectors as trading


def mark(*, user_id: int, symbols: Iterable[str], wanted: bool, now: datetime) -> None:
    """Stars markets, or takes their stars away; asked again it changes nothing.

    A browser that somebody used before the log-in hands over all that it had kept; a market that is not there any more is
    passed over.
    """
    asked = set(symbols)
    ids = [market.id for market in trading.markets() if market.symbol in asked]
    if wanted:
        rows = [Favourite(user_id=user_id, market_id=each, added_at=now) for each in ids]
        Favourite.objects.bulk_create(rows, ignore_conflicts=True)
    else:
        Favourite.objects.filter(user_id=user_id, market_id__in=ids).delete()


def export(user_id: int) -> list[dict[str, str | datetime]]:
    """For the customer's copy of the data."""
    symbols = {market.id: market.symbol for market in trading.markets()}
    rows = Favourite.objects.filter(user_id=user_id).order_by("id")
    return [{"market": symbols[row.market_id], "added_at": row.added_at} for row in rows if row.market_id in symbols]
