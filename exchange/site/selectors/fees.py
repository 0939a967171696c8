"""Which fees a customer pays, by what was traded in thirty days, and what more of it would change.

What must never happen here: a rate worked out anew; the trading room says what holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from trading import fee_selectors
from trading import selectors as trading
from trading.presentation import FeesView, MarketFees, TierView


@dataclass(frozen=True, slots=True)
class Board:
    """`thousandths` of the way to the next tier; None at the highest one, or where there are none."""

    own: FeesView
    markets: tuple[MarketFees, ...]
    tiers: tuple[TierView, ...]
    thousandths: int | None


def board(*, user_id: int, now: datetime) -> Board:
    """A few queries, whatever was traded."""
    own = trading.fees(user_id, now=now)
    return Board(own, own.markets, tuple(fee_selectors.tiers()), _thousandths(own))


def _thousandths(own: FeesView) -> int | None:
    if own.next_volume is None:
        return None
    reached, wanted = (int(text.replace(".", "")) for text in (_padded(own.volume), _padded(own.next_volume)))
    return min(1_000, reached * 1_000 // wanted) if wanted else 1_000


def _padded(text: str) -> str:
    """To the cent, so that two amounts compare as whole numbers."""
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction[:2]:0<2}"
