"""The engine beside a naive exchange: the same commands must give the same events and the same balances, and every command
must leave a book that is not crossed, in priority, with holds equal to what the open orders can cost."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.properties.naive_exchange import NaiveExchange
from trading.engine.commands import PLAIN, Cancel, Place
from trading.engine.events import Closed, Refused, Rested, Traded
from trading.engine.funds import Funds, Standing
from trading.engine.matching import Engine
from trading.engine.rules import Kind, Market, MarketState, Side, TimeInForce

SHARD = 7
USERS = [1, 2, 3, 4]
MARKET = Market(
    id=1,
    base_asset_id=1,
    quote_asset_id=4,
    lot_base_units=30,
    tick_quote_units=7,
    maker_fee_ppm=1_000,
    taker_fee_ppm=2_000,
)

sides = st.sampled_from(["buy", "sell"])
prices = st.integers(90, 110)
lots = st.integers(1, 60)


def account(user: int, asset: str) -> int:
    return user * 10 + (1 if asset == "base" else 2)


class Beside(RuleBasedStateMachine):
    """One step is one command to both; a batch of the engine's stays open until a rule settles it, or undoes and repeats it."""

    @initialize(base=st.integers(0, 6_000), quote=st.integers(0, 150_000))
    def fund(self, base: int, quote: int) -> None:
        self.start = {(user, a): amount for user in USERS for a, amount in (("base", base), ("quote", quote))}
        self.naive = NaiveExchange(
            lot=30, tick=7, maker_ppm=1_000, taker_ppm=2_000, shard=SHARD, balances=dict(self.start)
        )
        self.engine = Engine(shard=SHARD)
        self.engine.add_market(MARKET, MarketState.OPEN)
        self.standings = {account(u, a): Standing(amount, 0, False) for (u, a), amount in self.start.items()}
        self.open_batch()

    def open_batch(self) -> None:
        self.funds = Funds(self.standings)
        self.batch: list[tuple[object, list]] = []
        self.hash_before = self.engine.state_hash()

    def apply(self, command: object) -> list:
        mark = self.engine.mark()
        before = self.engine.state_hash()
        events = self.engine.apply(command)
        if code := self.funds.judge(events):
            self.engine.undo(mark)
            assert self.engine.state_hash() == before
            events = [Refused(code)]
        return events

    def both(self, command: object, expected: list) -> None:
        events = self.apply(command)
        self.batch.append((command, events))
        seen = []
        for event in events:
            if isinstance(event, Refused):
                seen.append(("refused", event.code))
            elif isinstance(event, Traded):
                seen.append(("trade", event.id, event.maker_order_id, event.taker_order_id, event.price, event.lots,
                             event.buyer_fee, event.seller_fee))  # fmt: skip
            elif isinstance(event, Rested):
                seen.append(("rest", event.order_id, event.lots))
            elif isinstance(event, Closed) and not (event.reason == "filled" and event.order_id in self.makers(events)):
                seen.append(("done", event.order_id, event.reason))
        assert seen == expected

    @staticmethod
    def makers(events: list) -> set[int]:
        return {e.maker_order_id for e in events if isinstance(e, Traded)}

    @rule(user=st.sampled_from(USERS), side=sides, price=prices, lots=lots, ioc=st.booleans())
    def limit(self, user: int, side: str, price: int, lots: int, ioc: bool) -> None:
        expected = self.naive.place(user=user, side=side, price=price, lots=lots, quote=None, ioc=ioc)
        self.both(self.place(user, side, Kind.LIMIT, ioc, price, lots, 0), expected)

    @rule(user=st.sampled_from(USERS), side=sides, lots=lots)
    def market_by_quantity(self, user: int, side: str, lots: int) -> None:
        expected = self.naive.place(user=user, side=side, price=None, lots=lots, quote=None, ioc=True)
        self.both(self.place(user, side, Kind.MARKET, True, 0, lots, 0), expected)

    @rule(user=st.sampled_from(USERS), side=sides, quote=st.integers(1, 40_000))
    def market_by_quote_amount(self, user: int, side: str, quote: int) -> None:
        expected = self.naive.place(user=user, side=side, price=None, lots=None, quote=quote, ioc=True)
        self.both(self.place(user, side, Kind.MARKET, True, 0, 0, quote), expected)

    def place(self, user: int, side: str, kind: Kind, ioc: bool, price: int, lots: int, quote: int) -> Place:
        return Place(
            market_id=1, user_id=user, side=Side.BUY if side == "buy" else Side.SELL, kind=kind,
            time_in_force=TimeInForce.IOC if ioc else TimeInForce.GTC, price=price, lots=lots, quote_units=quote,
            base_account=account(user, "base"), quote_account=account(user, "quote"), client_order_id=None, terms=PLAIN, at=0,
        )  # fmt: skip

    @rule(user=st.sampled_from(USERS), pick=st.integers(0, 50), stranger=st.booleans())
    def cancel(self, user: int, pick: int, stranger: bool) -> None:
        resting = self.naive.resting
        order_id = resting[pick % len(resting)].id if resting else 99_999
        owner = user if stranger or not resting else resting[pick % len(resting)].user
        expected = self.naive.cancel(user=owner, order_id=order_id)
        self.both(Cancel(user_id=owner, order_id=order_id, client_order_id=None, at=0), expected)

    @rule()
    def commit(self) -> None:
        self.engine.settle()
        self.standings = {a: self.funds.standing(a) for a in self.standings}
        self.open_batch()

    @rule()
    def undo_the_batch_and_repeat_it(self) -> None:
        after = self.engine.state_hash()
        self.engine.undo(0)
        assert self.engine.state_hash() == self.hash_before
        batch, self.funds = self.batch, Funds(self.standings)
        for command, events in batch:
            assert self.apply(command) == events
        assert self.engine.state_hash() == after

    @rule()
    def rebuild_from_the_open_orders(self) -> None:
        """What a restart does: a book loaded from its open orders is the same book."""
        self.commit()
        fresh = Engine(shard=SHARD, next_order=self.engine.next_order, next_trade=self.engine.next_trade)
        fresh.add_market(MARKET, MarketState.OPEN)
        for order_id in sorted(self.engine.orders):
            fresh.load(self.engine.orders[order_id])
        assert fresh.state_hash() == self.hash_before
        self.engine = fresh

    @invariant()
    def never_crossed_and_in_priority(self) -> None:
        book = self.engine.books[1]
        bids, asks = list(book.bids.in_priority()), list(book.asks.in_priority())
        assert not (bids and asks) or bids[0].price < asks[0].price
        assert [o.id for o in bids] == [o.id for o in sorted(bids, key=lambda o: (-o.price, o.id))]
        assert [o.id for o in asks] == [o.id for o in sorted(asks, key=lambda o: (o.price, o.id))]
        for half, orders in ((book.bids, bids), (book.asks, asks)):
            for price, lots in half.depth(1_000):
                assert lots == sum(o.open_lots for o in orders if o.price == price)
        assert all(o.resting and o.reason == "" and o.open_lots > 0 for o in bids + asks)
        assert {o.id for o in bids + asks} == {o.id for o in self.engine.orders.values() if o.resting}

    @invariant()
    def same_balances_and_holds(self) -> None:
        for user in USERS:
            for asset in ("base", "quote"):
                standing = self.funds.standing(account(user, asset))
                assert standing.balance == self.naive.balances[user, asset]
                assert standing.held == self.naive.held(user, asset)
                assert 0 <= standing.held <= standing.balance

    @invariant()
    def nothing_is_made_or_lost(self) -> None:
        for asset in ("base", "quote"):
            total = sum(self.funds.standing(account(user, asset)).balance for user in USERS)
            assert total + self.naive.fees[asset] == sum(v for (_, a), v in self.start.items() if a == asset)


Beside.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestEngineBesideNaive = Beside.TestCase
