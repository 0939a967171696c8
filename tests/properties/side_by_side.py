"""The engine beside the naive exchange, three times over, and all that must hold after every command.

`bare` does one command after another, each judged as it comes, and can go back to any moment since its last settle.
`batched` takes the same commands through trading.engine.batching, in batches cut anywhere.
Both must say what the naive exchange says, and stand in the same state; a third one, loaded from the live orders as the database
would give them back, takes the bare one's place now and then.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from tests.properties.naive import NaiveExchange
from tests.properties.naive.state import ARMED, RESTING, WAITING, NaiveOrder, State
from tests.properties.stored_orders import id_of, reloaded, stored_rows
from trading.engine import batching
from trading.engine.book import Order
from trading.engine.check import violations
from trading.engine.commands import Command
from trading.engine.events import Refused
from trading.engine.funds import Funds, Standing
from trading.engine.matching import Engine
from trading.engine.rules import Market, MarketState

SAME_NAMES = ("price", "lots", "filled_lots", "filled_quote", "fee", "rank")
PHASES = {1: RESTING, 2: ARMED, 3: WAITING}


class SideBySide:
    def __init__(
        self, exchange: type[NaiveExchange], *, shard: int, markets: list[Market], balances: dict[int, int],
        frozen: Collection[int], fills_max: int, triggers_max: int, closes_max: int,
    ) -> None:  # fmt: skip
        self.shard, self.markets = shard, markets
        self.limits = {"fills_max": fills_max, "triggers_max": triggers_max, "closes_max": closes_max}
        self.naive = exchange(shard=shard, balances=balances, **self.limits)
        self.naive.state.frozen = set(frozen)
        self.bare, self.batched = self.new_engine(), self.new_engine()
        for market in markets:
            for exchange in (self.naive, self.bare, self.batched):
                exchange.add_market(market, MarketState.OPEN)
        self.start = dict(balances)
        self.standings = {id: Standing(amount, 0, id in frozen) for id, amount in balances.items()}
        self.funds = Funds(self.standings)
        self.since_settle: list[tuple[Command, list, int, str, list[bytes]]] = []  # and mark, hash, rows before it
        self.batch: list[tuple[Command, list]] = []
        self.batch_standings = dict(self.standings)
        self.locked: set[int] = set()
        self.history: list[Command] = []  # the accepted ones

    def new_engine(self, **counters: int) -> Engine:
        return Engine(shard=self.shard, **self.limits, **counters)

    # --- one command ------------------------------------------------------------------------------------------------

    def do(self, command: Command) -> list:
        """One command to the naive exchange and the bare engine; what both said."""
        expected = self.expected = self.naive.apply(command)
        before, rows, mark = self.bare.state_hash(), stored_rows(self.bare), self.bare.mark()
        events = self.judged(command)
        assert_same(command, events, expected)
        changed = set(rows) ^ set(stored_rows(self.bare))
        assert {id_of(row) for row in changed} <= named(expected), "an order changed that no event names"
        if expected and type(expected[0]).__name__ == "Refused":
            assert self.bare.state_hash() == before, "a refused command left a trace"
        else:
            self.history.append(command)
        self.since_settle.append((command, expected, mark, before, rows))
        self.batch.append((command, expected))
        self.check()
        return expected

    def judged(self, command: Command) -> list:
        mark = self.bare.mark()
        events = self.bare.apply(command)
        if code := self.funds.judge(events):
            self.bare.undo(mark)
            return [Refused(code)]
        return events

    # --- batches, undo, settling, loading ---------------------------------------------------------------------------

    def end_batch(self, *, cut: int, undone_first: bool, overlapped: bool) -> None:
        """The commands since the last batch, in one batch or cut in two.

        A batch is perhaps undone and matched again, as after a deadlock; or the second is matched while the first is not
        committed yet, as when the engine's process does not wait for the database.
        """
        commands = [command for command, _ in self.batch]
        if undone_first:
            before, mark = self.batched.state_hash(), self.batched.mark()
            self.match(commands)
            self.batched.undo(mark)
            assert self.batched.state_hash() == before, "an undone batch left a trace"
        if overlapped and 0 < cut < len(commands):
            self.overlap(commands, cut)
        else:
            self.commit(cut)
        self.commit(len(self.batch))
        assert self.batched.state_hash() == self.bare.state_hash(), "it depends on the batches"
        assert violations(self.batched) == []

    def match(self, commands: list[Command]) -> batching.Matched:
        """As the engine's process does it: again, with more accounts, where they were not enough."""
        also: set[int] = set()
        while True:
            try:
                return batching.match(self.batched, commands, self.lock, also=also)
            except batching.MoreAccountsNeeded as error:
                assert not error.accounts <= also
                also = error.accounts

    def lock(self, accounts: Collection[int]) -> Mapping[int, Standing]:
        self.locked = set(accounts)
        return {account: self.batch_standings[account] for account in accounts}

    def commit(self, commands: int) -> None:
        """So many of the waiting commands, in as many batches as it takes."""
        goal = len(self.batch) - commands
        while len(self.batch) > goal:
            self.committed(self.match([command for command, _ in self.batch[: len(self.batch) - goal]]))
            self.batched.settle()

    def overlap(self, commands: list[Command], cut: int) -> None:
        """Two batches of which the second is matched on credit before the first is final, and judged after."""
        first = self.match(commands[:cut])
        rest = commands[len(first.events) :]
        credit = batching.on_credit(self.batched, rest)
        self.batched.settle(credit.start)
        self.committed(first)
        try:
            second = batching.judge(self.batched, rest, credit, self.lock(credit.accounts))
        except batching.MoreAccountsNeeded:
            self.batched.undo(credit.start)
            return
        self.batched.settle()
        self.committed(second)

    def committed(self, matched: batching.Matched) -> None:
        """The batch is in the database: its events must be those of its commands, its money moves."""
        assert matched.events, "a batch takes at least one command"
        for (command, expected), events in zip(self.batch, matched.events, strict=False):
            assert_same(command, events, expected)
        self.batch = self.batch[len(matched.events) :]
        moved = matched.funds.balance_deltas.keys() | matched.funds.held_deltas.keys()
        assert moved <= self.locked, "money moved on accounts that nobody locked"
        for account in self.batch_standings:
            deltas = matched.funds.balance_deltas.get(account, 0), matched.funds.held_deltas.get(account, 0)
            balance, held, frozen = self.batch_standings[account]
            self.batch_standings[account] = Standing(balance + deltas[0], held + deltas[1], frozen)

    def settle(self, keep: int) -> None:
        """Make the bare engine's commands final but for the last `keep` of them."""
        keep = min(keep, len(self.since_settle))
        if keep:
            self.bare.settle(self.since_settle[-keep][2])
            self.since_settle = self.since_settle[-keep:]
        else:
            self.bare.settle()
            self.since_settle = []
            assert all(order.phase for order in self.bare.orders.values()), "what is done and final is still remembered"

    def go_back_and_repeat(self, steps: int) -> None:
        """Undo the last commands of the bare engine, to the state of then, and do them once more."""
        after = self.bare.state_hash()
        again = self.since_settle[-min(steps, len(self.since_settle)) :]
        if not again:
            return
        self.bare.undo(again[0][2])
        assert self.bare.state_hash() == again[0][3], "undo does not lead back"
        assert stored_rows(self.bare) == again[0][4], "undo changes what would be stored"
        assert violations(self.bare) == []
        for command, expected, mark, before, _ in again:
            assert self.bare.mark() == mark
            assert self.bare.state_hash() == before
            events = self.bare.apply(command)
            if refused_for_funds(expected) and not isinstance(events[0], Refused):
                self.bare.undo(mark)
            else:
                assert_same(command, events, expected)
        assert self.bare.state_hash() == after, "the same commands led elsewhere"

    def load_anew(self) -> None:
        """What a restart does: an engine made from the live orders is the same engine."""
        self.settle(0)
        fresh = reloaded(self.bare, self.new_engine, self.naive.state)
        assert fresh.state_hash() == self.bare.state_hash(), "a restart loads another state"
        assert violations(fresh) == []
        self.bare = fresh

    def finish(self) -> None:
        """The last batch; then the accepted commands alone, done by a new engine, lead to the same state."""
        self.end_batch(cut=0, undone_first=True, overlapped=False)
        again = self.new_engine()
        for market in self.markets:
            again.add_market(market, MarketState.OPEN)
        for command in self.history:
            again.apply(command)
        assert again.state_hash() == self.bare.state_hash(), "the stored commands lead elsewhere"

    # --- what must hold ---------------------------------------------------------------------------------------------

    def check(self) -> None:
        self.same_orders()
        self.same_money()
        self.books_are_in_order()
        assert self.bare.due() == self.naive.due()
        assert self.bare.has_waiting() == self.naive.has_waiting()

    def same_orders(self) -> None:
        state = self.naive.state
        live = {order.id: order for order in self.bare.orders.values() if order.phase}
        assert live.keys() == state.orders.keys()
        for id, order in live.items():
            twin = state.orders[id]
            assert order.reason == "", "an order is both open and done"
            assert id not in state.done
            assert_alike(id, of_engine(order), of_naive(state, twin))
            assert order.filled_lots < order.lots if order.lots else order.filled_quote < order.quote_units
        for order in self.bare.orders.values():
            if not order.phase:
                assert state.done[order.id] == order.reason
        assert (self.bare.next_order, self.bare.next_trade) == (state.next_order, state.next_trade)

    def same_money(self) -> None:
        """Balances alike, holds the sum of the orders', nothing made or lost."""
        state = self.naive.state
        totals: dict[int, int] = {}
        for account in self.start:
            standing = self.funds.standing(account)
            assert standing.balance == state.balances[account]
            assert standing.held == state.held(account)
            assert 0 <= standing.held <= standing.balance
            totals[account % 10] = totals.get(account % 10, 0) + standing.balance - self.start[account]
        for (asset, _), amount in state.house.items():
            totals[asset] += amount
        assert not any(totals.values()), "money was made or lost"

    def books_are_in_order(self) -> None:
        for id, book in self.bare.books.items():
            assert int(book.state) == int(self.naive.state.markets[id].state)
            assert book.last_price == self.naive.state.markets[id].last
            bids, asks = list(book.bids.in_priority()), list(book.asks.in_priority())
            assert not (bids and asks) or bids[0].price < asks[0].price, "the book is crossed"
            assert [o.id for o in bids] == [o.id for o in sorted(bids, key=lambda o: (-o.price, o.rank))]
            assert [o.id for o in asks] == [o.id for o in sorted(asks, key=lambda o: (o.price, o.rank))]
            for half, orders in ((book.bids, bids), (book.asks, asks)):
                assert all(order.phase == 1 for order in orders)
                by_price: dict[int, int] = {}
                for order in orders:
                    by_price[order.price] = by_price.get(order.price, 0) + order.shown
                assert dict(half.depth(1_000)) == by_price, "what a price shows is not what its orders show"
            here = {o.id for o in self.naive.state.orders.values() if o.market == id and o.phase == RESTING}
            assert {order.id for order in bids + asks} == here


def of_engine(order: Order) -> dict[str, Any]:
    """What there is to compare of an order: where it stands, what it has done, what it holds."""
    found = {name: getattr(order, name) for name in SAME_NAMES}
    return {
        **found, "phase": PHASES[order.phase], "quote": order.quote_units, "held": order.held,
        "partner": order.partner,
        "shown": order.shown if order.phase == 1 else 0,
        "trigger": (order.stop_price, order.extreme, order.cap) if order.phase > 1 else None,
    }  # fmt: skip


def of_naive(state: State, order: NaiveOrder) -> dict[str, Any]:
    found = {name: getattr(order, name) for name in SAME_NAMES}
    resting = order.phase == RESTING
    return {
        **found, "phase": order.phase, "quote": order.quote, "held": state.hold(order), "partner": order.partner,
        "shown": order.shown if resting else 0,
        "trigger": None if resting else (order.stop, order.extreme, order.cap),
    }  # fmt: skip


def assert_alike(what: object, one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one == other, (what, {name: (one[name], other[name]) for name in one if one[name] != other[name]})


def named(events: list) -> set[int]:
    """The orders that events speak of: those that are stored anew."""
    names = ("order_id", "maker_order_id", "taker_order_id")
    return {getattr(event, name) for event in events for name in names if hasattr(event, name)}


def refused_for_funds(expected: list) -> bool:
    return bool(expected) and getattr(expected[0], "code", "") in ("insufficient_funds", "account_frozen")


def assert_same(command: Command, events: list, expected: list) -> None:
    """The same events, field by field."""
    assert [told(event) for event in events] == [told(event) for event in expected], command


def told(event: Any) -> tuple:
    fields = getattr(event, "_fields", None) or type(event).__match_args__
    return (type(event).__name__, *((field, getattr(event, field)) for field in fields))
