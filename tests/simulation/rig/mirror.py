"""The naive exchange, fed with what the engine stored, in the order in which it stored it: they must agree on everything.

After each step the new commands go through it; verdicts, trades and live orders must be its own, and what the accounts hold.
What must never happen here: a rule. Rules are the naive exchange's; here is only what the process around the core decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exchange.ledger import selectors as ledger
from tests.properties.naive import NaiveExchange
from tests.properties.naive.state import ARMED, RESTING, WAITING
from trading import wire
from trading.engine.commands import Place, PlaceOco
from trading.models import Command, Order, Trade
from trading.runner import batch

PHASES = {RESTING: 1, ARMED: 2, WAITING: 3}


class Mirror:
    def __init__(self, *, users: Sequence[int]) -> None:
        self.naive = NaiveExchange(shard=0)
        self.pairs: dict[int, dict[int, int]] = {user: ledger.account_ids(owner_id=user) for user in users}
        self.verdicts: dict[str, tuple[str, int | None]] = {}  # by UUID
        self.seen: dict[str, int] = {}  # how often each verdict or event came
        self._after = 0
        self._trades_seen = 0
        for user in users:
            for balance in ledger.balances(owner_id=user):
                self.naive.state.balances[balance.account_id] = balance.balance

    def deposited(self, account: int, amount: int) -> None:
        self.naive.state.balances[account] += amount

    def follow(self) -> None:
        """Do what was stored since the last time."""
        for row in Command.objects.filter(id__gt=self._after).order_by("id"):
            asked = wire.decode(row.body.encode())
            assert asked.uuid not in self.verdicts, f"command {asked.uuid} is stored twice"
            self.verdicts[asked.uuid] = (row.verdict, row.order_id)
            self._after = row.id
            self._count(row.verdict)
            if row.verdict in (wire.DUPLICATE, batch.COMMAND_EXPIRED):
                continue
            assert row.verdict != "engine_error", f"refused by force: {row.body}"
            at_us = round(row.at.timestamp() * 1_000_000)
            events = self.naive.apply(batch.complete(asked.command, pair=self._pair(asked.command), at_us=at_us))
            said = _said(asked.command, events)
            assert said == (row.verdict, row.order_id), (
                f"command {row.id} {row.body}: the engine says {row.verdict} {row.order_id}, the naive exchange {events}"
            )
            for event in events:
                self._count(type(event).__name__)

    def check(self) -> None:
        """All that must be the same whenever nothing is under way."""
        state = self.naive.state
        stored = [
            (
                t.id,
                t.market_id,
                t.price,
                t.lots,
                t.maker_order_id,
                t.taker_order_id,
                int(t.buyer_fee),
                int(t.seller_fee),
            )
            for t in Trade.objects.order_by("id")
        ]
        made = [
            (t.id, t.market_id, t.price, t.lots, t.maker_order_id, t.taker_order_id, t.buyer_fee, t.seller_fee)
            for t in state.trades
        ]
        assert stored == made, _first_difference(stored, made)
        live = {o.id: (o.phase, o.filled_lots, int(o.held), int(o.fee)) for o in Order.objects.filter(state=1)}
        naive = {o.id: (PHASES[o.phase], o.filled_lots, state.hold(o), o.fee) for o in state.orders.values()}
        assert live == naive, _first_difference(sorted(live.items()), sorted(naive.items()))
        done = dict(Order.objects.exclude(state=1).values_list("id", "reason"))
        assert done == state.done, _first_difference(sorted(done.items()), sorted(state.done.items()))
        for user in self.pairs:
            for balance in ledger.balances(owner_id=user):
                expected = state.balances[balance.account_id], state.held(balance.account_id)
                assert (balance.balance, balance.held) == expected, f"account {balance.account_id} of {user}"

    def _pair(self, command: Any) -> tuple[int, int]:
        order = command.limit if type(command) is PlaceOco else command
        if type(order) is not Place or (market := self.naive.state.markets.get(order.market_id)) is None:
            return 0, 0
        of_user = self.pairs[order.user_id]
        return of_user[market.rules.base_asset_id], of_user[market.rules.quote_asset_id]

    def _count(self, what: str) -> None:
        self.seen[what] = self.seen.get(what, 0) + 1


def _said(command: Any, events: list[Any]) -> tuple[str, int | None]:
    first = events[0] if events else None
    name = type(first).__name__
    if name == "Refused":
        return first.code, None
    if type(command).__name__ != "CancelAll" and name in ("Accepted", "Amended", "Reduced", "Closed"):
        return wire.ACCEPTED, first.order_id
    return wire.ACCEPTED, None


def _first_difference(stored: Sequence[Any], made: Sequence[Any]) -> str:
    for one, other in zip(stored, made, strict=False):
        if one != other:
            return f"stored {one}, naive {other}"
    return f"{len(stored)} stored, {len(made)} naive: {list(stored[len(made) :] or made[len(stored) :])[:3]}"
