"""A customer's orders as the page lists them: those that are open, and those that are done a page at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from django.utils.translation import gettext_lazy

from trading import selectors as trading
from trading.presentation import OrderView

PAGE = 25
STATES = {
    "filled": gettext_lazy("Filled"),
    "cancelled": gettext_lazy("Cancelled"),
    "expired": gettext_lazy("Expired"),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the list is narrowed to; "" is not at all. `before` is the cursor: the last id of the page before."""

    market: str = ""
    side: str = ""
    state: str = ""
    before: int | None = None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Wanted:
        """Of an address's query; what means nothing is passed over."""
        side, state, before = query.get("side", ""), query.get("state", ""), query.get("before", "")
        return cls(
            market=query.get("market", "").upper(),
            side=side if side in ("buy", "sell") else "",
            state=state if state in STATES else "",
            before=int(before) if before.isascii() and before.isdigit() and len(before) < 17 else None,
        )

    def query(self, *, before: int) -> str:
        """The query of the page that follows."""
        parts = {"market": self.market, "side": self.side, "state": self.state, "before": str(before)}
        return urlencode({name: value for name, value in parts.items() if value})

    @property
    def narrowed(self) -> bool:
        return bool(self.market or self.side or self.state)


@dataclass(frozen=True, slots=True)
class OrdersPage:
    """`open` is whole (the trading room limits it); `past` is one page of all that is done; `older` is the query of the next."""

    markets: tuple[str, ...]
    open: tuple[OrderView, ...]
    past: tuple[OrderView, ...]
    older: str | None


def page(*, user_id: int, wanted: Wanted) -> OrdersPage:
    """Five queries, however many orders there are. A market that does not exist narrows to nothing."""
    symbols = tuple(market.symbol for market in trading.markets())
    if wanted.market and wanted.market not in symbols:
        return OrdersPage(markets=symbols, open=(), past=(), older=None)
    market, side = wanted.market or None, wanted.side or None
    found = trading.orders(
        user_id, market=market, side=side, state=wanted.state or "done", before=wanted.before, limit=PAGE + 1
    )
    past = tuple(found[:PAGE])
    opened = () if wanted.state else tuple(trading.open_orders(user_id, market, side=side))
    older = wanted.query(before=past[-1].id) if len(found) > PAGE else None
    return OrdersPage(markets=symbols, open=opened, past=past, older=older)
