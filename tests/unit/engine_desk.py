"""A desk to trade at in the core's tests: orders in words, events as sentences.

Every command is done, checked for what must hold, taken back, and done once more: so each test also proves that its commands
undo without a trace and are deterministic. Orders are named by number: #1 is the first one made.
"""

from __future__ import annotations

from typing import Any

from trading.engine.check import violations
from trading.engine.commands import (
    PLAIN,
    Amend,
    Cancel,
    CancelAll,
    Command,
    Countdown,
    Place,
    PlaceOco,
    SetMarket,
    SetMarketState,
    Terms,
    Tick,
)  # fmt: skip
from trading.engine.events import (
    Accepted,
    Amended,
    Armed,
    Closed,
    Event,
    Queued,
    Ratcheted,
    Reduced,
    Refused,
    Rested,
    Traded,
    Triggered,
)  # fmt: skip
from trading.engine.matching import SHARDS_MAX, Engine
from trading.engine.rules import Kind, Market, MarketState, SelfTrade, Side, TimeInForce

RULES: dict[str, Any] = {
    "id": 1, "base_asset_id": 1, "quote_asset_id": 2, "lot_base_units": 1, "tick_quote_units": 1, "maker_fee_ppm": 0,
    "taker_fee_ppm": 0,
}  # fmt: skip


def market(**rules: Any) -> Market:
    return Market(**{**RULES, **rules})


def terms(**stated: Any) -> Terms:
    if "self_trade" in stated:
        stated["self_trade"] = SelfTrade[stated["self_trade"].upper()]
    return PLAIN.but(**stated)


def number(order_id: int) -> str:
    return f"#{order_id // SHARDS_MAX}"


def told(event: Event) -> str:
    """An event as a sentence."""
    if isinstance(event, Traded):
        taker, maker = number(event.taker_order_id), number(event.maker_order_id)
        return f"{taker} takes {event.lots} @ {event.price} of {maker}"
    if isinstance(event, Refused):
        return f"refused: {event.code}"
    if isinstance(event, Accepted):
        return f"{number(event.order_id)} new"
    if isinstance(event, Rested):
        return f"{number(event.order_id)} rests {event.lots}, holds {event.held}"
    if isinstance(event, Armed):
        return f"{number(event.order_id)} armed {event.lots}, holds {event.held}"
    if isinstance(event, Queued):
        return f"{number(event.order_id)} queued"
    if isinstance(event, (Triggered, Ratcheted, Reduced, Amended, Closed)):
        freed = f", frees {event.released}" if event.released else ""
        said = {
            Triggered: "triggered",
            Ratcheted: f"ratchets to {getattr(event, 'stop_price', 0)}",
            Reduced: f"reduced to {getattr(event, 'lots', 0)}",
            Amended: "amended",
            Closed: f"done: {getattr(event, 'reason', '')}",
        }
        return f"{number(event.order_id)} {said[type(event)]}{freed}"
    return repr(event)


class Desk:
    """One market, number 1, unless a test opens others; time stands still unless a test moves it."""

    def __init__(self, *, last: int = 0, fills_max: int = 1_000, triggers_max: int = 100, **rules: Any) -> None:
        self.engine = Engine(shard=0, fills_max=fills_max, triggers_max=triggers_max)
        self.engine.add_market(market(**rules), MarketState.OPEN, last)
        self.now = 100

    @property
    def book(self) -> Any:
        return self.engine.books[1]

    def order(self, name: int) -> Any:
        return self.engine.orders[name]

    def do(self, command: Command) -> list[Event]:
        """Once, back, and once more: the same events, no trace between, nothing broken."""
        mark, before = self.engine.mark(), self.engine.state_hash()
        events = self.engine.apply(command)
        after = self.engine.state_hash()
        self.engine.undo(mark)
        assert self.engine.state_hash() == before, "an undone command left a trace"
        assert not violations(self.engine)
        assert self.engine.apply(command) == events
        assert self.engine.state_hash() == after
        assert not violations(self.engine)
        return events

    def tell(self, command: Command) -> list[str]:
        return [told(event) for event in self.do(command)]

    def place(
        self, user: int, side: str, lots: int = 0, *, kind: str = "limit", price: int = 0, quote: int = 0, tif: str = "",
        client: str | None = None, market_id: int = 1, **stated: Any,
    ) -> Place:  # fmt: skip
        """A command; `tell` it."""
        return Place(
            market_id=market_id, user_id=user, side=Side[side.upper()], kind=Kind[kind.upper()],
            time_in_force=TimeInForce[tif or ("IOC" if kind == "market" else "GTC")], price=price, lots=lots,
            quote_units=quote, base_account=user * 10 + 1, quote_account=user * 10 + 2, client_order_id=client,
            terms=terms(**stated), at=self.now,
        )  # fmt: skip

    def buy(self, user: int, lots: int, price: int, **stated: Any) -> list[str]:
        return self.tell(self.place(user, "buy", lots, price=price, **stated))

    def sell(self, user: int, lots: int, price: int, **stated: Any) -> list[str]:
        return self.tell(self.place(user, "sell", lots, price=price, **stated))

    def at_market(self, user: int, side: str, lots: int = 0, **stated: Any) -> list[str]:
        return self.tell(self.place(user, side, lots, kind="market", **stated))

    def trade(self, price: int, lots: int = 1) -> list[str]:
        """Strangers trade at this price, where nobody else stands; what came of it beyond their own two orders."""
        self.sell(98, lots, price)
        said = self.buy(99, lots, price, tif="IOC")
        assert said[3].endswith("done: filled"), said
        return said[4:]

    def oco(
        self, user: int, side: str, lots: int, *, price: int, stop: int, limit: int = 0, **stated: Any
    ) -> list[str]:
        """A limit leg at `price`, a stop leg at `stop` (a stop-limit where `limit` is given)."""
        kind = "stop_limit" if limit else "stop"
        return self.tell(
            PlaceOco(
                limit=self.place(user, side, lots, price=price, **stated),
                stop=self.place(
                    user, side, lots, kind=kind, price=limit, stop_price=stop, **{**stated, "client": None}
                ),
                at=self.now,
            )
        )

    def amend(self, user: int, name: int, *, price: int = 0, lots: int = 0, stop: int = 0) -> list[str]:
        return self.tell(Amend(user, name * SHARDS_MAX, None, price, lots, stop, self.now))

    def cancel(self, user: int, name: int) -> list[str]:
        return self.tell(Cancel(user, name * SHARDS_MAX, None, self.now))

    def cancel_all(self, user: int, *, market_id: int = 0, side: int = 0, reason: str = "user") -> list[str]:
        return self.tell(CancelAll(user, market_id, side, reason, self.now))

    def countdown(self, user: int, until: int) -> list[str]:
        return self.tell(Countdown(user, until, self.now))

    def tick(self, at: int = 0) -> list[str]:
        """What a tick did, without the tick itself."""
        self.now = at or self.now
        return self.tell(Tick(self.now))[1:]

    def set_state(self, state: str, market_id: int = 1) -> None:
        self.do(SetMarketState(market_id, MarketState[state.upper()], self.now))

    def set_rules(self, **rules: Any) -> None:
        self.do(SetMarket(market(**rules), self.now))

    def depth(self, side: str) -> list[tuple[int, int]]:
        return (self.book.bids if side == "buy" else self.book.asks).depth(100)  # type: ignore[no-any-return]
