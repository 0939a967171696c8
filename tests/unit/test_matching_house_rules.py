"""What the house decides: bands, notionals, how many orders, states, fees and rebates, and that the next command obeys."""

from __future__ import annotations

import pytest

from tests.unit.engine_desk import Desk, market
from trading.engine.commands import OpenMarket, SetFees, SetMarket
from trading.engine.events import FeesSet, MarketOpened, MarketSet, Traded
from trading.engine.fees import fee
from trading.engine.rules import Market, MarketRefused, MarketState


@pytest.mark.parametrize(("price", "said"), [(90, "new"), (110, "new"), (89, "out"), (111, "out")])
def test_a_limit_price_lies_in_the_band_around_the_last_price(price: int, said: str) -> None:
    desk = Desk(last=100, band_ppm=100_000)
    first = desk.buy(1, 1, price)[0]
    assert first == ("#1 new" if said == "new" else "refused: price_out_of_band")


def test_without_a_last_price_there_is_no_band() -> None:
    assert Desk(band_ppm=1).buy(1, 1, 5)[0] == "#1 new"


def test_a_stop_limit_s_band_is_around_its_stop_price() -> None:
    desk = Desk(last=100, band_ppm=50_000)
    assert desk.tell(desk.place(1, "buy", 1, kind="stop_limit", price=210, stop_price=200))[0] == "#1 new"
    assert desk.tell(desk.place(1, "buy", 1, kind="stop_limit", price=211, stop_price=200)) == [
        "refused: price_out_of_band"
    ]
    assert desk.tell(desk.place(1, "buy", 1, kind="stop", stop_price=500))[0] == "#2 new"


def test_an_order_is_worth_the_least_notional() -> None:
    desk = Desk(last=100, min_notional=500, tick_quote_units=2)
    assert desk.buy(1, 2, 100) == ["refused: notional_too_small"]
    assert desk.buy(1, 3, 100)[0] == "#1 new"
    assert desk.at_market(2, "sell", quote=499) == ["refused: notional_too_small"]
    assert desk.at_market(2, "sell", 2) == ["refused: notional_too_small"]  # by the best price it would meet
    assert desk.at_market(2, "buy", 1)[-1] == "#2 done: no_liquidity"  # nobody to meet: nothing to judge by
    for stop, lots, said in ((120, 2, "refused"), (125, 2, "#")):
        assert desk.tell(desk.place(3, "buy", lots, kind="stop", stop_price=stop))[0].startswith(said)
    assert desk.tell(desk.place(3, "sell", 2, kind="trailing_stop", trail_ticks=5)) == ["refused: notional_too_small"]


def test_no_more_open_orders_than_the_market_allows() -> None:
    desk = Desk(last=100, max_open_orders=2)
    desk.buy(1, 1, 90)
    desk.tell(desk.place(1, "sell", 1, kind="stop", stop_price=80))
    assert desk.buy(1, 1, 90) == ["refused: too_many_open_orders"]
    assert desk.buy(1, 1, 90, tif="IOC")[0] == "#3 new"  # it will not stay
    assert desk.buy(2, 1, 90)[0] == "#4 new"
    desk.cancel(1, 1)
    assert desk.buy(1, 1, 90)[0] == "#5 new"


def test_orders_in_other_markets_do_not_count() -> None:
    desk = Desk(max_open_orders=2)
    desk.do(OpenMarket(market(id=2), MarketState.OPEN, 100))
    for _ in range(5):
        desk.tell(desk.place(1, "buy", 1, price=90, market_id=2))
    desk.buy(1, 1, 90)
    assert desk.buy(1, 1, 90)[-1].startswith("#7 rests")
    assert desk.buy(1, 1, 90) == ["refused: too_many_open_orders"]


def test_the_first_thing_wrong_is_what_is_said() -> None:
    desk = Desk(last=100, max_open_orders=1, band_ppm=1_000, min_notional=10**9)
    desk.set_rules(max_open_orders=1)
    desk.sell(2, 1, 100)
    desk.buy(1, 1, 99, client="mine")
    desk.set_rules(max_open_orders=1, band_ppm=1_000, min_notional=10**9)
    wrong = {"tif": "GTD", "expires_at": 100, "post_only": True, "client": "mine"}
    assert desk.tell(desk.place(1, "buy", 1, price=200, market_id=9, **wrong)) == ["refused: market_not_found"]
    desk.set_state("cancel_only")
    assert desk.buy(1, 1, 200, **wrong) == ["refused: market_closed"]
    desk.set_state("open")
    assert desk.buy(1, 1, 200, **wrong) == ["refused: client_order_id_taken"]
    wrong["client"] = "other"
    assert desk.buy(1, 1, 200, **wrong) == ["refused: already_expired"]
    wrong["expires_at"] = 200
    assert desk.buy(1, 1, 200, **wrong) == ["refused: too_many_open_orders"]
    desk.set_rules(band_ppm=1_000, min_notional=10**9)
    assert desk.buy(1, 1, 200, **wrong) == ["refused: price_out_of_band"]
    desk.set_rules(min_notional=10**9)
    assert desk.buy(1, 1, 200, **wrong) == ["refused: notional_too_small"]
    desk.set_rules()
    assert desk.buy(1, 1, 200, **wrong) == ["refused: post_only_would_match"]


def fees_of(desk: Desk, maker: int, taker: int) -> tuple[int, int]:
    """(maker's, taker's) of 1,000 base units at price 1 000."""
    desk.sell(maker, 1_000, 1_000)
    (fill,) = [e for e in desk.do(desk.place(taker, "buy", 1_000, price=1_000)) if isinstance(e, Traded)]
    return fill.seller_fee, fill.buyer_fee


def test_a_customer_pays_the_lower_of_the_market_s_rate_and_the_tier_s() -> None:
    desk = Desk(maker_fee_ppm=1_000, taker_fee_ppm=2_000)
    assert fees_of(desk, 1, 2) == (1_000, 2)
    assert desk.do(SetFees(1, 500, 5_000, 100)) == [FeesSet(1, 500, 5_000)]
    desk.do(SetFees(2, 5_000, 1_000, 100))
    assert fees_of(desk, 1, 2) == (500, 1)
    assert fees_of(desk, 2, 1) == (1_000, 2)


def test_the_tier_is_that_of_the_moment_of_the_fill() -> None:
    desk = Desk(maker_fee_ppm=1_000, taker_fee_ppm=2_000)
    desk.sell(1, 1_000, 1_000)
    desk.do(SetFees(1, 0, 0, 100))
    fill = desk.do(desk.place(2, "buy", 1_000, price=1_000))[1]
    assert fill.seller_fee == 0


@pytest.mark.parametrize(
    ("received", "ppm", "charged"), [(1_001, 1_000, 2), (1_001, -1_000, -1), (999, -1_000, 0), (1, 1, 1)]
)
def test_a_fee_rounds_up_and_a_rebate_towards_zero(received: int, ppm: int, charged: int) -> None:
    assert fee(received, ppm=ppm) == charged


def test_a_maker_may_be_paid_for_making() -> None:
    desk = Desk(maker_fee_ppm=-500, taker_fee_ppm=2_000)
    assert fees_of(desk, 1, 2) == (-500, 2)
    assert desk.order(1).fee == -500


@pytest.mark.parametrize(("maker", "taker"), [(10**6, 0), (-(10**6), 0), (0, -1), (0, 10**6)])
def test_an_impossible_tier_is_refused(maker: int, taker: int) -> None:
    assert Desk().tell(SetFees(1, maker, taker, 100)) == ["refused: fees_invalid"]


def test_a_market_is_opened_once_and_governed_while_it_lives() -> None:
    desk = Desk()
    assert desk.do(OpenMarket(market(id=2), MarketState.POST_ONLY, 100)) == [MarketOpened(2, MarketState.POST_ONLY)]
    assert desk.tell(OpenMarket(market(id=2), MarketState.OPEN, 100)) == ["refused: market_exists"]
    assert desk.do(SetMarket(market(taker_fee_ppm=5), 100)) == [MarketSet(1)]
    for other in ({"lot_base_units": 2}, {"tick_quote_units": 2}, {"base_asset_id": 7}, {"quote_asset_id": 7}):
        assert desk.tell(SetMarket(market(**other), 100)) == ["refused: market_differs"]
    assert desk.tell(SetMarket(market(id=9), 100)) == ["refused: market_not_found"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"maker_fee_ppm": -3, "taker_fee_ppm": 2}, {"min_notional": -1}, {"band_ppm": -1}, {"max_open_orders": -1},
        {"slippage_ppm": 0}, {"slippage_ppm": 10**6 + 1},
    ],
)  # fmt: skip
def test_rules_that_cannot_be_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(MarketRefused):
        market(**wrong)
    assert isinstance(market(), Market)
