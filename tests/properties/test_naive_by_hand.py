"""The naive exchange itself, on examples worked out by hand: what everything else is held against must first be right.

One market: a lot is 10 base units, a tick of a lot 1 quote unit; makers pay 1000 ppm, takers 2000. Customer u pays base out of
account u1 and quote out of u4; everybody begins with 10,000 of each.
"""

from __future__ import annotations

from typing import Any

from tests.properties.naive import NaiveExchange
from trading.engine.commands import (
    PLAIN,
    Amend,
    Cancel,
    CancelAll,
    Countdown,
    OpenMarket,
    Place,
    PlaceOco,
    SetFees,
    SetMarketState,
    Tick,
)
from trading.engine.rules import Kind, Market, MarketState, SelfTrade, Side, TimeInForce

B, S = Side.BUY, Side.SELL
LIMIT, MARKET, STOP, STOP_LIMIT = Kind.LIMIT, Kind.MARKET, Kind.STOP, Kind.STOP_LIMIT
GTC, IOC, FOK, GTD = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.GTD


class Desk:
    def __init__(self, **rules: Any) -> None:
        self.exchange = NaiveExchange(
            shard=0, balances={user * 10 + asset: 10_000 for user in range(1, 6) for asset in (1, 4)}
        )
        given = {"maker_fee_ppm": 1_000, "taker_fee_ppm": 2_000, **rules}
        self.market = Market(id=1, base_asset_id=1, quote_asset_id=4, lot_base_units=10, tick_quote_units=1, **given)
        self.exchange.apply(OpenMarket(self.market, MarketState.OPEN, 0))

    def order(self, user: int, side: Side, lots: int, price: int = 0, *, kind: Kind | None = None, tif: TimeInForce | None = None,
              quote: int = 0, **terms: Any) -> Place:  # fmt: skip
        kind = kind or (LIMIT if price else MARKET)
        return Place(
            1, user, side, kind, tif or (IOC if kind == MARKET else GTC), price, lots, quote, user * 10 + 1, user * 10 + 4, None,
            PLAIN.but(**terms), 1,
        )  # fmt: skip

    def place(self, *what: Any, **how: Any) -> list[str]:
        return self.do(self.order(*what, **how))

    def do(self, command: Any) -> list[str]:
        """What happened, an event a line: its name and what matters of it."""
        return [short(event) for event in self.exchange.apply(command)]

    def trade_at(self, price: int) -> None:
        """Two strangers make it the last price."""
        self.place(4, S, 1, price)
        self.place(5, B, 1, price)

    def held(self, account: int) -> int:
        return self.exchange.held(account)


def short(event: Any) -> str:
    number = getattr(event, "order_id", 0) // 1024
    match type(event).__name__:
        case "Traded":
            return (
                f"{event.taker_order_id // 1024} takes {event.lots} at {event.price} of {event.maker_order_id // 1024}"
            )
        case "Rested" | "Armed" as word:
            return f"{number} {word} {event.lots} holds {event.held}"
        case "Closed":
            return f"{number} {event.reason} frees {event.released}"
        case "Reduced":
            return f"{number} Reduced to {event.lots} frees {event.released}"
        case "Triggered" | "Amended" as word:
            return f"{number} {word} frees {event.released}"
        case "Ratcheted":
            return f"{number} Ratcheted to {event.stop_price} frees {event.released}"
        case "Refused":
            return str(event.code)
        case word:
            return f"{number} {word}" if number else word


def test_a_fill_is_at_the_makers_price_and_fees_round_up() -> None:
    desk = Desk()
    assert desk.place(1, S, 3, 100) == ["1 Accepted", "1 Rested 3 holds 30"]
    assert desk.place(2, B, 5, 101) == [
        "2 Accepted",
        "2 takes 3 at 100 of 1",
        "1 filled frees 0",
        "2 Rested 2 holds 202",
    ]
    balances = desk.exchange.balances
    assert (balances[21], balances[24]) == (10_000 + 30 - 1, 10_000 - 300), "0.06 of base, rounded up"
    assert (balances[11], balances[14]) == (10_000 - 30, 10_000 + 300 - 1), "0.3 of quote, rounded up"


def test_a_rebate_rounds_towards_zero_and_the_better_rate_counts() -> None:
    desk = Desk(maker_fee_ppm=-1_500)
    desk.do(SetFees(2, 0, 500, 1))
    desk.place(1, S, 30, 100)
    desk.place(2, B, 30, 100)
    assert desk.exchange.balances[14] == 10_000 + 3_000 + 4, "4.5 of quote, towards zero"
    assert desk.exchange.balances[21] == 10_000 + 300 - 1, "0.15 of base, up"


def test_an_iceberg_goes_to_the_back_with_each_slice() -> None:
    desk = Desk()
    desk.place(1, S, 5, 100, display_lots=2)
    desk.place(2, S, 2, 100)
    assert desk.place(3, B, 5, 100) == [
        "3 Accepted", "3 takes 2 at 100 of 1", "3 takes 2 at 100 of 2", "2 filled frees 0", "3 takes 1 at 100 of 1",
        "3 filled frees 0"
    ]  # fmt: skip
    assert desk.exchange.orders[1024].shown == 1
    assert desk.held(11) == 20, "the hidden lots are held, too"


def test_a_market_order_stops_at_its_cap() -> None:
    desk = Desk(slippage_ppm=20_000)
    for price in (100, 102, 103):
        desk.place(1, S, 1, price)
    assert desk.place(2, B, 3)[1:] == [
        "4 takes 1 at 100 of 1", "1 filled frees 0", "4 takes 1 at 102 of 2", "2 filled frees 0", "4 slippage frees 0"
    ]  # fmt: skip
    assert desk.place(2, B, 1, slippage_ppm=1)[1:] == ["5 takes 1 at 103 of 3", "3 filled frees 0", "5 filled frees 0"]
    assert desk.place(2, B, 1)[1:] == ["6 no_liquidity frees 0"]


def test_a_market_order_by_quote_amount() -> None:
    desk = Desk()
    desk.place(1, S, 9, 100)
    assert desk.place(2, B, 0, quote=250)[1:] == ["2 takes 2 at 100 of 1", "2 filled frees 0"]
    assert desk.place(2, B, 0, quote=99)[1:] == ["3 too_small frees 0"]


def test_fill_or_kill() -> None:
    desk = Desk()
    desk.place(1, S, 2, 100)
    assert desk.place(2, B, 3, 100, tif=FOK) == ["2 Accepted", "2 not_fillable frees 0"]
    assert desk.place(2, B, 2, 100, tif=FOK)[-1] == "3 filled frees 0"


def test_the_four_ways_of_not_trading_with_oneself() -> None:
    def meets(mode: SelfTrade, lots: int) -> list[str]:
        desk = Desk()
        desk.place(1, S, 4, 100)
        desk.place(2, S, 1, 100)
        return desk.place(1, B, lots, 100, self_trade=mode)[1:]

    assert meets(SelfTrade.CANCEL_NEWEST, 5) == ["3 self_trade frees 0"]
    assert meets(SelfTrade.CANCEL_OLDEST, 5)[:2] == ["1 self_trade frees 40", "3 takes 1 at 100 of 2"]
    assert meets(SelfTrade.CANCEL_BOTH, 5) == ["1 self_trade frees 40", "3 self_trade frees 0"]
    assert meets(SelfTrade.DECREMENT, 5) == [
        "1 self_trade frees 40", "3 Reduced to 1 frees 0", "3 takes 1 at 100 of 2", "2 filled frees 0", "3 filled frees 0"
    ]  # fmt: skip
    assert meets(SelfTrade.DECREMENT, 3) == ["1 Reduced to 1 frees 30", "3 self_trade frees 0"]
    assert meets(SelfTrade.DECREMENT, 4) == ["1 self_trade frees 40", "3 self_trade frees 0"]


def test_a_stop_holds_its_cap_and_a_stop_limit_rests() -> None:
    desk = Desk(slippage_ppm=100_000)
    desk.trade_at(100)
    assert desk.place(1, B, 2, kind=STOP, stop_price=105) == ["3 Accepted", "3 Armed 2 holds 230"], (
        "105 and a tenth, down: 115"
    )
    assert desk.place(2, S, 2, 94, kind=STOP_LIMIT, stop_price=95) == ["4 Accepted", "4 Armed 2 holds 20"]
    assert desk.place(1, B, 1, kind=STOP, stop_price=100) == ["stop_would_trigger"]
    desk.place(3, S, 1, 105)
    desk.place(3, S, 1, 115)
    desk.place(3, S, 1, 116)
    assert desk.place(5, B, 1, 105)[3:] == [
        "8 filled frees 0", "3 Triggered frees 230", "3 takes 1 at 115 of 6", "6 filled frees 0", "3 slippage frees 0"
    ]  # fmt: skip
    desk.place(3, B, 1, 95)
    assert desk.place(5, S, 1, 95)[3:] == ["11 filled frees 0", "4 Triggered frees 20", "4 Rested 2 holds 20"]


def test_a_trailing_stop_follows_and_gives_back() -> None:
    desk = Desk(slippage_ppm=100_000)
    assert desk.place(1, B, 1, kind=Kind.TRAILING_STOP, trail_ticks=10) == ["no_reference_price"]
    desk.trade_at(100)
    assert desk.place(1, B, 1, kind=Kind.TRAILING_STOP, trail_ticks=10) == ["3 Accepted", "3 Armed 1 holds 121"]
    desk.place(4, S, 1, 90)
    assert desk.place(5, B, 1, 90)[-1] == "3 Ratcheted to 100 frees 11", "100 and a tenth: 110"
    desk.place(4, S, 1, 100)
    assert "3 Triggered frees 110" in desk.place(5, B, 1, 100)


def test_a_cascade_stops_at_its_limit_and_goes_on_with_a_tick() -> None:
    desk = Desk()
    desk.exchange.triggers_max = 1
    desk.trade_at(100)
    for price in (90, 80, 70):
        desk.place(3, B, 1, price)
    for user in (1, 2):
        desk.place(user, S, 1, kind=STOP, stop_price=95)
    done = desk.place(5, S, 1, 90)
    assert "6 Triggered frees 10" in done
    assert done[-1] == "7 Queued"
    assert desk.held(21) == 10, "whoever waits still holds"
    assert desk.do(Tick(2)) == ["Ticked", "7 Triggered frees 10", "7 takes 1 at 70 of 5",
                                "5 filled frees 0", "7 filled frees 0"]  # fmt: skip


def pair(desk: Desk) -> list[str]:
    limit = desk.order(1, S, 2, 110)
    return desk.do(PlaceOco(limit, limit.but(kind=STOP, price=0, terms=PLAIN.but(stop_price=90)), 1))


def test_of_a_pair_one_is_done() -> None:
    desk = Desk()
    desk.trade_at(100)
    assert pair(desk) == ["3 Accepted", "3 Rested 2 holds 20", "4 Accepted", "4 Armed 2 holds 0"]
    assert desk.place(2, B, 1, 110)[1:3] == ["5 takes 1 at 110 of 3", "4 oco frees 0"]
    assert desk.do(Cancel(1, 3 * 1024, None, 1)) == ["3 user frees 10"]

    desk = Desk()
    desk.trade_at(100)
    pair(desk)
    desk.place(2, B, 3, 90)
    assert desk.place(3, S, 1, 90)[3:6] == ["4 Triggered frees 0", "3 oco frees 20", "4 takes 2 at 90 of 5"]

    desk = Desk()
    pair(desk)
    assert desk.do(Cancel(1, 2 * 1024, None, 1)) == ["2 user frees 0", "1 oco frees 20"]


def test_an_amend_keeps_or_loses_the_place() -> None:
    desk = Desk()
    desk.place(1, B, 4, 100)
    desk.place(2, B, 4, 100)
    assert desk.do(Amend(1, 1024, None, 0, 3, 0, 1)) == ["1 Reduced to 3 frees 100"]
    assert desk.place(3, S, 1, 100)[1] == "3 takes 1 at 100 of 1"
    assert desk.do(Amend(1, 1024, None, 0, 9, 0, 1)) == ["1 Amended frees 200", "1 Rested 8 holds 800"]
    assert desk.place(3, S, 1, 100)[1] == "5 takes 1 at 100 of 2"
    assert desk.do(Amend(1, 1024, None, 0, 1, 0, 1)) == ["quantity_below_filled"]
    assert desk.do(Amend(2, 1024, None, 0, 1, 0, 1)) == ["order_not_found"]
    assert desk.do(Amend(1, 1024, None, 5_000, 0, 0, 1)) == ["insufficient_funds"]
    assert desk.held(14) == 800


def test_the_clock() -> None:
    desk = Desk()
    desk.place(1, B, 1, 100, tif=GTD, expires_at=50)
    desk.place(2, B, 1, 100)
    desk.do(Countdown(2, 60, 1))
    assert desk.exchange.due() == 50
    desk.do(SetMarketState(1, MarketState.HALTED, 1))
    assert desk.exchange.due() is None
    assert desk.do(Tick(70)) == ["Ticked"]
    assert desk.do(Cancel(1, 1024, None, 70)) == ["market_closed"]
    desk.do(SetMarketState(1, MarketState.CANCEL_ONLY, 1))
    assert desk.do(Tick(71)) == ["Ticked", "1 expired frees 100", "2 disconnect frees 100", "CountdownSet"]
    assert desk.place(1, B, 1, 100) == ["market_closed"]
    assert desk.do(CancelAll(1, 0, 0, "user", 72)) == []


def test_band_notional_and_post_only() -> None:
    desk = Desk(band_ppm=100_000, min_notional=200, max_open_orders=2)
    desk.exchange.state.markets[1].last = 100
    assert desk.place(1, B, 3, 111) == ["price_out_of_band"]
    assert desk.place(1, B, 1, 110) == ["notional_too_small"]
    assert desk.place(1, S, 3, 110)[0] == "1 Accepted"
    assert desk.place(2, B, 3, 110, post_only=True) == ["post_only_would_match"]
    desk.place(1, S, 3, 110)
    assert desk.place(1, S, 3, 110) == ["too_many_open_orders"]
    desk.do(SetMarketState(1, MarketState.POST_ONLY, 1))
    assert desk.place(2, B, 3) == ["market_post_only"]
    assert desk.place(2, B, 3, 110) == ["post_only_would_match"]
