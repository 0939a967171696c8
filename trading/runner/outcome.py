"""The commands of a batch beside what came of them: verdicts, the orders and markets they touched, who is told what.

Pure. What must never happen here: an order that changed and is not among `orders_touched`, for its row would stay as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trading import wire
from trading.engine import batching
from trading.engine.commands import CancelAll
from trading.engine.events import (
    Accepted,
    Amended,
    Armed,
    Closed,
    CountdownSet,
    Event,
    FeesSet,
    MarketOpened,
    MarketSet,
    MarketStateSet,
    Queued,
    Ratcheted,
    Reduced,
    Refused,
    Rested,
    Traded,
    Triggered,
)
from trading.runner import record
from trading.runner.store import Claims, First
from trading.wire import Asked

_OF_AN_ORDER = frozenset({Accepted, Rested, Closed, Armed, Queued, Triggered, Ratcheted, Reduced, Amended})
_OF_A_MARKET = frozenset({MarketOpened, MarketSet, MarketStateSet})
_WITH_AN_ORDER = frozenset({Accepted, Amended, Reduced, Closed})


class Outcome:
    """One batch. `asked`, `ids` by place; `places` of the commands that were matched, in step with their events."""

    def __init__(
        self, asked: Sequence[Asked], ids: Sequence[int], verdicts: Mapping[int, str], claims: Claims, places: Sequence[int],
        matched: batching.Matched,
    ) -> None:  # fmt: skip
        self.asked = asked
        self.ids = ids
        self.claims = claims
        self.funds = matched.funds
        self.events: list[Event] = [event for events in matched.events for event in events]
        self.trades: list[Traded] = []
        self.orders_touched: dict[int, None] = {}  # in the order of first touch
        self.orders_new: set[int] = set()
        self.orders_remade: set[int] = set()  # with another price, size or place than they had
        self.states: dict[int, int] = {}  # by market
        self.markets: dict[int, None] = {}  # whose rules or state are others now
        self.fees: dict[int, FeesSet] = {}
        self.countdowns: dict[int, int] = {}
        self._sort()
        self._results: dict[int, First] = {place: First(code, None) for place, code in verdicts.items()}
        self._counts: dict[int, int] = {}
        for place, events in zip(places, matched.events, strict=True):
            if type(asked[place].command) is CancelAll and not _refused(events):
                self._results[place] = First(wire.ACCEPTED, None)
                self._counts[place] = sum(1 for event in events if type(event) is Closed)
            else:
                self._results[place] = _result(events)
        for place in claims.retried:
            self._results[place] = First(wire.DUPLICATE, None)

    def _sort(self) -> None:
        trades, touched, new = self.trades, self.orders_touched, self.orders_new
        for event in self.events:
            kind = type(event)
            if kind is Traded:
                trades.append(event)  # type: ignore[arg-type]
                touched[event.maker_order_id] = touched[event.taker_order_id] = None  # type: ignore[union-attr]
            elif kind in _OF_AN_ORDER:
                touched[event.order_id] = None  # type: ignore[union-attr]
                if kind is Accepted:
                    new.add(event.order_id)  # type: ignore[union-attr]
                elif kind is Amended or kind is Reduced:
                    self.orders_remade.add(event.order_id)  # type: ignore[union-attr]
            elif kind in _OF_A_MARKET:
                self.markets[event.market_id] = None  # type: ignore[union-attr]
                if kind is not MarketSet:
                    self.states[event.market_id] = int(event.state)  # type: ignore[union-attr]
            elif kind is FeesSet:
                self.fees[event.user_id] = event  # type: ignore[union-attr,assignment]
            elif kind is CountdownSet:
                self.countdowns[event.user_id] = event.until  # type: ignore[union-attr]

    def command_rows(self) -> list[tuple[int, Asked, str, int | None]]:
        """Every command but those that were done in an earlier batch."""
        return [
            (self.ids[place], each, *self._results[place])
            for place, each in enumerate(self.asked)
            if place not in self.claims.repeated
        ]

    def earlier(self) -> set[int]:
        """Commands of earlier batches whose results are asked for again."""
        return {*self.claims.repeated.values(), *self.claims.retried.values()} - set(self.ids)

    def codes(self) -> list[str]:
        return [self._results[place].code for place in range(len(self.asked)) if place not in self.claims.repeated]

    def replies(self, earlier: Mapping[int, First]) -> list[record.Reply]:
        in_batch = {self.ids[place]: result for place, result in self._results.items()}
        known = {**in_batch, **earlier}
        replies = []
        for place, each in enumerate(self.asked):
            if place in self.claims.repeated:
                first = known[self.claims.repeated[place]]
                replies.append(record.reply(each, first.code, first.order_id, here=False))
            elif place in self.claims.retried:
                first = known[self.claims.retried[place]]
                replies.append(record.reply(each, wire.DUPLICATE, first.order_id, here=False, first=first))
            else:
                code, order_id = self._results[place]
                count = self._counts.get(place)
                replies.append(record.reply(each, code, order_id, here=order_id is not None, count=count))
        return replies


def _refused(events: Sequence[Event]) -> bool:
    return bool(events) and type(events[0]) is Refused


def _result(events: Sequence[Event]) -> First:
    """The first event says what became of a command."""
    first = events[0]
    if type(first) is Refused:
        return First(first.code, None)
    return First(wire.ACCEPTED, first.order_id if type(first) in _WITH_AN_ORDER else None)  # type: ignore[union-attr]
