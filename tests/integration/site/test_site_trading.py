"""Markets, favourites, the trade page's facts and the list of orders, without a script."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from exchange.site import taking_along
from exchange.site.models import Favourite
from exchange.site.selectors import markets
from exchange.site.services import favourites
from trading import candles, selectors, tape
from trading.models import Market

pytestmark = pytest.mark.django_db
FIRST_ID = 1024


def symbols(text: str) -> list[str]:
    return re.findall(r'<tr class="linked" data-market="([A-Z-]+)"', text)


def candle(owner: Any, symbol: str, *, minutes_ago: int, prices: tuple[int, int, int, int], lots: int = 10) -> None:
    """One minute's candle, as the engine writes it: its own row for the minute and for each interval above."""
    market = selectors.market(symbol)
    second = int((timezone.now() - timedelta(minutes=minutes_ago)).timestamp())
    for interval in ("1m", "15m"):
        opened = candles.opened(interval, second)
        place = candles.index(interval)
        row = (
            candles.candle_id(open_second=opened, market_id=market.id, place=place), market.id, place, opened, *prices,
            lots, lots * prices[3], 1,
        )  # fmt: skip
        with owner.cursor() as cursor:
            cursor.execute(
                "INSERT INTO trading_candle (id, market_id, interval, open_time, open, high, low, close, lots, quote_units, "
                "trades) VALUES (%s, %s, %s, to_timestamp(%s), %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO NOTHING",
                row,
            )


def order(owner: Any, user_id: int, number: int, *, side: int = 1, state: int = 2, reason: str = "filled") -> int:
    order_id = FIRST_ID + number * 1024
    with owner.cursor() as cursor:
        cursor.execute(
            "INSERT INTO trading_order (id, user_id, market_id, side, kind, time_in_force, price, lots, quote_units, "
            "filled_lots, filled_quote, fee, state, reason, base_account, quote_account, created_at, updated_at, rank, phase, "
            "held) VALUES (%s, %s, 1, %s, 1, 1, 5, 5, 0, 0, 0, 0, %s, %s, 1, 2, now(), now(), 1, %s, 0)",
            (order_id, user_id, side, state, reason, int(state == 1)),
        )
    return order_id


@pytest.mark.django_db(transaction=True)
class TestTickers:
    def test_of_many_markets_at_once_are_those_of_each_alone(self, owner_connection: Any) -> None:
        for ago, prices in ((2000, (90, 95, 80, 85)), (600, (100, 120, 90, 110)), (3, (110, 115, 105, 112))):
            candle(owner_connection, "BTC-USDT", minutes_ago=ago, prices=prices)
        candle(owner_connection, "ETH-USDT", minutes_ago=5000, prices=(7, 8, 6, 7))
        now = timezone.now()
        together = {ticker.market: ticker for ticker in selectors.tickers(now=now)}
        assert together == {view.symbol: tape.ticker(view, now=now) for view in selectors.markets()}
        bitcoin, ether, litecoin = (together[f"{code}-USDT"] for code in ("BTC", "ETH", "LTC"))
        assert (bitcoin.open, bitcoin.high, bitcoin.low, bitcoin.last) == ("1", "1.2", "0.9", "1.12")
        assert bitcoin.change == "0.12"
        assert (ether.last, ether.open, ether.volume, ether.change) == ("0.07", "0.07", "0", "0")
        assert (litecoin.last, litecoin.change) == (None, None)

    def test_a_board_asks_as_often_for_forty_markets_as_for_four(self, owner_connection: Any) -> None:
        for symbol in ("BTC-USDT", "ETH-USDT", "LTC-USDT", "ETH-BTC"):
            for ago in range(0, 300, 15):
                candle(owner_connection, symbol, minutes_ago=ago, prices=(100, 500, 90, 100 + ago))
        first = Market.objects.get(symbol="BTC-USDT")

        def asked() -> int:
            with CaptureQueriesContext(connection) as queries:
                rows = markets.board(now=timezone.now(), user_id=1)
            assert all(row.spark for row in rows if row.symbol in ("BTC-USDT", "ETH-BTC"))
            return len(queries)

        few = asked()
        for number in range(36):
            first.pk, first.symbol = 100 + number, f"X{number:02}-USDT"
            first.save(force_insert=True)
            candle(owner_connection, first.symbol, minutes_ago=1, prices=(1, 1, 1, 1))
        assert asked() == few <= 12


class TestFavourites:
    def test_a_star_is_kept_shown_first_and_taken_away(self, newcomer: Any) -> None:
        before = symbols(newcomer.get("/markets/").content.decode())
        answer = newcomer.post("/markets/favourites/", {"market": "LTC-USDT", "wanted": "yes"})
        assert (answer.status_code, answer.url) == (302, "/markets/")
        after = symbols(newcomer.get("/markets/").content.decode())
        assert after[0] == "LTC-USDT"
        assert sorted(after) == sorted(before)
        newcomer.post("/markets/favourites/", {"market": "LTC-USDT", "wanted": "yes"})
        assert Favourite.objects.count() == 1
        newcomer.post("/markets/favourites/", {"market": "LTC-USDT", "wanted": "no"})
        assert Favourite.objects.count() == 0

    def test_a_browser_hands_over_what_it_had_kept_and_is_told_nothing(self, newcomer: Any) -> None:
        wanted = {"market": ["ETH-USDT", "BTC-USDT", "NO-SUCH"], "wanted": "yes"}
        answer = newcomer.post("/markets/favourites/", wanted, headers={"X-Requested-With": "fetch"})
        assert (answer.status_code, answer.content) == (204, b"")
        assert Favourite.objects.count() == 2

    def test_they_are_nobody_elses(self, person: Any) -> None:
        anna, otto = person("anna"), person("otto")
        anna.post("/markets/favourites/", {"market": "LTC-USDT", "wanted": "yes"})
        otto.post("/markets/favourites/", {"market": "LTC-USDT", "wanted": "no"})
        assert Favourite.objects.filter(user_id=anna.user_id).count() == 1
        assert symbols(otto.get("/markets/").content.decode())[0] != "LTC-USDT"

    def test_a_stranger_is_led_to_the_log_in(self) -> None:
        answer = Client().post("/markets/favourites/", {"market": "LTC-USDT", "wanted": "yes"})
        assert answer.status_code == 302
        assert "/accounts/login/" in answer.url
        assert Favourite.objects.count() == 0

    def test_they_are_in_the_customers_copy_of_the_data(self, newcomer: Any) -> None:
        favourites.mark(user_id=newcomer.user_id, symbols=["LTC-USDT"], wanted=True, now=timezone.now())
        [row] = taking_along._PARTS["favourite_markets"](newcomer.user_id)
        assert row["market"] == "LTC-USDT"


@pytest.mark.django_db(transaction=True)
class TestTradePage:
    def facts(self, browser: Any) -> dict[str, Any]:
        page = browser.get("/trade/BTC-USDT/").content.decode()
        return json.loads(re.search(r'<script id="market-facts"[^>]*>(.*?)</script>', page, re.DOTALL)[1])

    def test_the_facts_hold_what_the_customer_pays_and_where_to_pay_in(self, alice: Any, owner_connection: Any) -> None:
        facts = self.facts(alice)
        assert (facts["makerFee"], facts["takerFee"]) == ("0.001", "0.002")
        assert facts["deposits"]["BTC"] == "/wallet/deposit/BTC/"
        assert facts["available"] == {"BTC": "2", "USDT": "1000"}
        rules = selectors.market("BTC-USDT")
        assert (facts["minNotional"], facts["slippage"]) == (rules.min_notional, rules.slippage)
        with owner_connection.cursor() as cursor:  # as the engine keeps it
            cursor.execute(
                "INSERT INTO trading_account_fee (id, shard_id, user_id, maker_fee_ppm, taker_fee_ppm) "
                "VALUES (%s, 0, %s, -100, 1500)",
                (alice.user_id << 10, alice.user_id),
            )
        facts = self.facts(alice)
        assert (facts["makerFee"], facts["takerFee"]) == ("-0.0001", "0.0015")

    def test_who_has_nothing_to_trade_with_is_told_what_to_do(self, newcomer: Any, alice: Any) -> None:
        words = "You have neither BTC nor USDT to trade with yet."
        assert words in newcomer.get("/trade/BTC-USDT/").content.decode()
        assert words not in alice.get("/trade/BTC-USDT/").content.decode()

    def test_a_stranger_has_no_purse_and_pays_what_the_market_asks(self) -> None:
        facts = self.facts(Client())
        assert (facts["available"], facts["deposits"], facts["signedIn"]) == ({}, {}, False)
        assert facts["makerFee"] == "0.001"


@pytest.mark.django_db(transaction=True)
class TestOrders:
    def listed(self, person: Any, query: str = "") -> list[int]:
        return [each.id for each in person.get(f"/orders/{query}").context["page"].past]

    def test_they_are_paged_by_cursor_and_narrowed(self, person: Any, owner_connection: Any) -> None:
        anna, otto = person("anna"), person("otto")
        bought = [order(owner_connection, anna.user_id, number) for number in range(30)]
        sold = order(owner_connection, anna.user_id, 40, side=2, state=3, reason="expired")
        opened = order(owner_connection, anna.user_id, 50, state=1, reason="")
        order(owner_connection, otto.user_id, 60)
        page = anna.get("/orders/").context["page"]
        assert [each.id for each in page.open] == [opened]
        assert [each.id for each in page.past] == [sold, *reversed(bought[6:])]
        assert self.listed(anna, f"?{page.older}") == list(reversed(bought[:6]))
        assert self.listed(anna, "?side=sell") == [sold]
        assert self.listed(anna, "?state=expired") == [sold]
        assert self.listed(anna, "?state=filled&side=sell") == []
        assert "Nothing like that" in anna.get("/orders/?market=ETH-BTC").content.decode()
        assert self.listed(anna, "?market=NO-SUCH") == []
        assert self.listed(anna, "?before=nonsense&state=what&side=up")[0] == sold

    def test_cancelling_all_is_a_post_and_says_what_is_wrong(self, newcomer: Any) -> None:
        assert newcomer.get("/orders/cancel-all/").status_code == 405
        answer = newcomer.post("/orders/cancel-all/", {"market": "NO-SUCH"}, follow=True)
        assert "There is no such market." in answer.content.decode()
