"""Draws commands for an exchange as it stands: mostly sensible, often close to a rule's edge, sometimes wrong.

The same grammar serves Hypothesis, which shrinks, and a seeded random source, which is fast.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol, TypeVar

from hypothesis import strategies as st

from tests.properties.naive import NaiveOrder
from tests.properties.naive.state import ARMED, LIMIT, NaiveMarket, State
from trading.engine import commands, rules
from trading.engine.rules import Kind, Market, MarketState, SelfTrade, Side, TimeInForce

T = TypeVar("T")
BTC, ETH, USDT = 1, 3, 4
USERS = (1, 2, 3)
SIDES, MODES = tuple(Side), tuple(SelfTrade)
RESTING_TIF = (TimeInForce.GTC, TimeInForce.GTC, TimeInForce.GTD)
FILL_AT_MARKET = (Kind.STOP, Kind.TAKE_PROFIT, Kind.TRAILING_STOP)


class Source(Protocol):
    def number(self, least: int, most: int) -> int: ...
    def pick(self, choices: Sequence[T]) -> T: ...


class Seeded:
    """Numbers out of a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def number(self, least: int, most: int) -> int:
        return self._random.randint(least, most)

    def pick(self, choices: Sequence[T]) -> T:
        return self._random.choice(choices)


class Drawn:
    """Numbers that Hypothesis draws, and makes smaller when it has found something."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def number(self, least: int, most: int) -> int:
        return self._data.draw(st.integers(least, most))

    def pick(self, choices: Sequence[T]) -> T:
        return self._data.draw(st.sampled_from(choices))


def account(user: int, asset: int) -> int:
    return user * 10 + asset


class Grammar:
    """`state` is the naive exchange's, read to aim at what is there."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.scale = 1  # of a lot and a tick of the markets that are drawn
        self.now = 1_000
        self.named = 0

    def chance(self, percent: int) -> bool:
        return self.source.number(1, 100) <= percent

    def market(self, id: int) -> Market:
        """The rules of a market: 1 and 2 share their quote asset, 3 trades their bases against each other, at low prices."""
        base, quote = {1: (BTC, USDT), 2: (ETH, USDT), 3: (ETH, BTC)}[id]
        pick = self.source.pick
        maker, taker = pick([(1_000, 2_000), (-300, 500), (0, 0), (-70_001, 90_011), (30_000, 50_000)])
        return Market(
            id=id, base_asset_id=base, quote_asset_id=quote, lot_base_units=(30, 10, 3)[id - 1] * self.scale,
            tick_quote_units=(7, 3, 1)[id - 1] * self.scale, maker_fee_ppm=maker, taker_fee_ppm=taker,
            min_notional=self.scale * pick([0, 0, 0, 1_500] if id != 3 else [0, 0, 20]),
            band_ppm=pick([0, 0, 0, 100_000, 200_000]), slippage_ppm=pick([1_000_000, 50_000, 20_000, 5_000]),
            max_open_orders=pick([0, 0, 0, 0, 6]),
        )  # fmt: skip

    def command(self, state: State) -> commands.Command:
        """Any command; the clock goes on a little."""
        self.now += self.source.number(0, 4)
        shut = [id for id, market in state.markets.items() if market.state != MarketState.OPEN]
        if shut and self.chance(15):
            return commands.SetMarketState(self.source.pick(sorted(shut)), MarketState.OPEN, self.now)
        waiting = [id for id, market in state.markets.items() if market.queue]
        if waiting and self.chance(10):
            return commands.SetMarketState(self.source.pick(waiting), self.source.pick(tuple(MarketState)), self.now)
        roll = self.source.number(1, 1_000)
        for upto, draw in (
            (380, self.limit), (490, self.at_market), (680, self.trigger), (750, self.oco), (860, self.amend),
            (905, self.cancel), (910, self.cancel_all), (920, self.countdown), (955, self.tick), (965, self.fees),
            (975, self.set_market), (1000, self.market_state),
        ):  # fmt: skip
            if roll <= upto:
                return draw(state)
        raise AssertionError(roll)

    # --- new orders -------------------------------------------------------------------------------------------------

    def limit(self, state: State) -> commands.Place:
        """Two in three stand where others do, so that books fill and empty; one in ten is an iceberg."""
        market, side = self._market(state), self.source.pick(SIDES)
        tif = self.source.pick(
            (*RESTING_TIF, *RESTING_TIF, *RESTING_TIF, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.FOK)
        )
        lots = self._lots()
        display, post_only = 0, False
        if tif in RESTING_TIF:
            display = self.source.number(1, lots - 1) if lots > 1 and self.chance(20) else 0
            post_only = self.chance(15)
        return self._place(
            market, side, Kind.LIMIT, tif, price=self._price(market), lots=lots, display=display, post_only=post_only
        )

    def at_market(self, state: State) -> commands.Place:
        market, side = self._market(state), self.source.pick(SIDES)
        tif = self.source.pick((TimeInForce.IOC, TimeInForce.IOC, TimeInForce.FOK))
        lots, quote = self._size(market)
        return self._place(market, side, Kind.MARKET, tif, lots=lots, quote=quote, slippage=self._slippage())

    def trigger(self, state: State) -> commands.Place:
        market, side = self._market(state), self.source.pick(SIDES)
        kind = self.source.pick((*FILL_AT_MARKET, Kind.TRAILING_STOP, Kind.STOP_LIMIT, Kind.TAKE_PROFIT_LIMIT))
        tif = self.source.pick(RESTING_TIF)
        if kind == Kind.TRAILING_STOP:
            by_ticks = self.chance(50)
            return self._place(
                market, side, kind, tif, lots=self._lots(), slippage=self._slippage(),
                trail_ticks=self.source.number(1, 8) if by_ticks else 0,
                trail_ppm=0 if by_ticks else self.source.pick((1, 10_000, 25_000, 60_000)),
            )  # fmt: skip
        stop = self._stop(market, side, kind)
        if kind in FILL_AT_MARKET:
            lots, quote = self._size(market) if side == Side.BUY else (self._lots(), 0)
            return self._place(market, side, kind, tif, lots=lots, quote=quote, stop=stop, slippage=self._slippage())
        return self._place(market, side, kind, tif, price=self._near(stop), lots=self._lots(), stop=stop)

    def oco(self, state: State) -> commands.PlaceOco:
        market, side = self._market(state), self.source.pick(SIDES)
        kind = self.source.pick((Kind.STOP, Kind.STOP_LIMIT))
        limit = self._place(
            market, side, Kind.LIMIT, self.source.pick(RESTING_TIF), price=self._away(market, side), lots=self._lots()
        )
        stop = self._stop(market, side, kind)
        leg = limit.but(
            kind=kind,
            price=self._near(stop) if kind == Kind.STOP_LIMIT else 0,
            client_order_id=None,
            terms=limit.terms.but(stop_price=stop, slippage_ppm=0 if kind == Kind.STOP_LIMIT else self._slippage()),
        )
        if self.chance(3):
            leg = leg.but(
                **self.source.pick(
                    ({"lots": leg.lots + 1}, {"user_id": leg.user_id % 3 + 1}, {"kind": Kind.TAKE_PROFIT})
                )
            )
        return commands.PlaceOco(limit=limit, stop=leg, at=self.now)

    def _place(
        self, market: NaiveMarket, side: Side, kind: Kind, tif: TimeInForce, *, price: int = 0, lots: int = 0, quote: int = 0,
        display: int = 0, post_only: bool = False, stop: int = 0, trail_ticks: int = 0, trail_ppm: int = 0, slippage: int = 0,
    ) -> commands.Place:  # fmt: skip
        user, name = self.source.pick(USERS), None
        if self.chance(25):
            self.named += 1
            name = f"n{self.source.number(1, self.named) if self.chance(30) else self.named}"
        modes = (*MODES, *[SelfTrade.DECREMENT] * 4) if tif == TimeInForce.FOK else MODES
        terms = commands.Terms(
            post_only=post_only, self_trade=self.source.pick(modes), display_lots=display, stop_price=stop,
            trail_ticks=trail_ticks, trail_ppm=trail_ppm, slippage_ppm=slippage,
            expires_at=self.now + self.source.number(0, 200) if tif == TimeInForce.GTD else 0,
        )  # fmt: skip
        return commands.Place(
            market_id=9 if self.chance(1) else market.rules.id, user_id=user, side=side, kind=kind, time_in_force=tif,
            price=price, lots=lots, quote_units=quote, base_account=account(user, market.rules.base_asset_id),
            quote_account=account(user, market.rules.quote_asset_id), client_order_id=name, terms=terms, at=self.now,
        )  # fmt: skip

    # --- orders that are there --------------------------------------------------------------------------------------

    def amend(self, state: State) -> commands.Amend:
        user, id, name, order = self._whose(state)
        price = lots = stop = 0
        if order is None:
            return commands.Amend(user, id, name, self.source.number(1, 120), 0, 0, self.now)
        market = state.markets[order.market]
        change = self.source.number(1, 100)
        if change <= 40:
            lots = max(0, order.lots - self.source.number(0, order.lots))
        elif change <= 65:
            lots = order.lots + self.source.number(0, 10)
        if change > 50 and (order.kind == LIMIT or order.price or self.chance(10)):
            price = self._price(market)
        if (order.phase == ARMED and change % 2) or self.chance(4):
            stop = self._near(order.stop or 100)
        return commands.Amend(user, id, name, price, lots, stop, self.now)

    def cancel(self, state: State) -> commands.Cancel:
        user, id, name, _ = self._whose(state)
        return commands.Cancel(user, id, name, self.now)

    def _whose(self, state: State) -> tuple[int, int, str | None, NaiveOrder | None]:
        """(user, order id, client's id, the order): mostly a live order's, by either name, sometimes a stranger's."""
        if not state.orders or self.chance(4):
            return self.source.pick(USERS), self.source.number(0, 5) * 1024 + state.shard, None, None
        order = state.orders[self.source.pick(sorted(state.orders))]
        if order.partner and self.chance(70):
            order = state.orders[self.source.pick(sorted(state.orders))]
        user = order.user if self.chance(95) else self.source.pick(USERS)
        if order.client is not None and self.chance(50):
            return user, 0, order.client, order
        return user, order.id, None, order

    def cancel_all(self, state: State) -> commands.CancelAll:
        return commands.CancelAll(
            user_id=self.source.pick(USERS), market_id=self.source.pick((0, 0, *sorted(state.markets), 9)),
            side=self.source.pick((0, 1, 2)), reason=self.source.pick(("user", "staff", "disconnect")), at=self.now,
        )  # fmt: skip

    # --- the clock and the staff ------------------------------------------------------------------------------------

    def countdown(self, state: State) -> commands.Countdown:
        until = self.now + self.source.number(0, 30) if self.chance(75) else 0
        return commands.Countdown(self.source.pick(USERS), until, self.now)

    def tick(self, state: State) -> commands.Tick:
        return commands.Tick(self.now)

    def fees(self, state: State) -> commands.SetFees:
        maker, taker = self.source.pick(
            [(1_000, 2_000), (-500, 300), (0, 0), (100, 100), (99_999, 99_999), (0, -1), (0, rules.PPM)]
        )
        return commands.SetFees(self.source.pick(USERS), maker, taker, self.now)

    def set_market(self, state: State) -> commands.Command:
        id = self.source.pick((1, 2, 3))
        if id in state.markets and self.chance(10):
            return commands.SetMarket(self.market(id).but(lot_base_units=11), self.now)
        if (id in state.markets) != self.chance(7):
            return commands.SetMarket(self.market(id), self.now)
        return commands.OpenMarket(self.market(id), self.source.pick(tuple(MarketState)), self.now)

    def market_state(self, state: State) -> commands.SetMarketState:
        id = self.source.pick((1, 1, 2, 2, 3, 9)) if self.chance(5) else self.source.pick(sorted(state.markets))
        return commands.SetMarketState(id, self.source.pick(tuple(MarketState)), self.now)

    # --- numbers ----------------------------------------------------------------------------------------------------

    def _market(self, state: State) -> NaiveMarket:
        return state.markets[self.source.pick(sorted(state.markets))]

    def _middle(self, market: NaiveMarket) -> int:
        return market.last or (6 if market.rules.id == 3 else 100)

    def _price(self, market: NaiveMarket) -> int:
        width = 3 if market.rules.id == 3 else self.source.pick((2, 6, 15))
        return max(1, self._middle(market) + self.source.number(-width, width))

    def _near(self, price: int) -> int:
        return max(1, price + self.source.number(-4, 4))

    def _away(self, market: NaiveMarket, side: Side) -> int:
        """A price that probably does not match at once."""
        distance = self.source.number(-1, 8)
        return max(1, self._middle(market) + (distance if side == Side.SELL else -distance))

    def _stop(self, market: NaiveMarket, side: Side, kind: Kind) -> int:
        """Mostly on the side of the last price where the order waits."""
        up = (side == Side.BUY) == (kind in (Kind.STOP, Kind.STOP_LIMIT))
        if not market.last and self.chance(70):
            return self._near(self._middle(market))  # where nothing traded yet it may lie on either side of what comes
        distance = self.source.number(0 if self.chance(15) else 1, 6)
        return max(1, self._middle(market) + (distance if up else -distance))

    def _lots(self) -> int:
        return self.source.number(1, 12) if self.chance(80) else self.source.number(1, 60)

    def _size(self, market: NaiveMarket) -> tuple[int, int]:
        """By quantity, or by quote amount."""
        if self.chance(60):
            return self._lots(), 0
        worth = self._middle(market) * market.rules.tick_quote_units
        return 0, self.source.number(1, worth * 15)

    def _slippage(self) -> int:
        return self.source.pick((0, 0, 1, 10_000, 40_000, rules.PPM))
