"""Worth over time: each point is what a replay of the ledger, entry by entry, comes to at the rates of its day."""

from __future__ import annotations

import html
import random
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from exchange.assets import display
from exchange.assets.models import Rate, RateDay
from exchange.core.ids import uuid7
from exchange.ledger import selectors as ledger
from exchange.ledger.journal import Entry, Transfer
from exchange.ledger.services import accounts, days, transfers
from exchange.site.selectors import portfolio, worth

pytestmark = pytest.mark.django_db
BTC, ETH, USDT, USD = 1, 3, 4, 5
UNITS = {BTC: 10**8, ETH: 10**18, USD: 100}


class Life:
    """A customer whose coins came and went over some months."""

    def __init__(self, user_id: int, now: datetime, *, length: int, seed: int) -> None:
        self.user_id, self.now, chance = user_id, now, random.Random(seed)
        self.moves: list[tuple[date, int, int]] = []
        own = accounts.open_customer(owner_id=user_id, asset_ids=list(UNITS), now=now)
        outside = {each: accounts.open(kind="chain_wallet", asset_id=each, label="test", now=now) for each in UNITS}
        balances = dict.fromkeys(UNITS, 0)
        for back in range(length, 0, -1):
            at = now - timedelta(days=back, seconds=chance.randrange(0, 3_600))
            for asset_id in UNITS:
                if chance.random() < 0.4:
                    continue
                amount = chance.randrange(1, 3 * UNITS[asset_id])
                if balances[asset_id] > amount and chance.random() < 0.5:
                    amount = -amount
                balances[asset_id] += amount
                self.moves.append((at.astimezone(UTC).date(), asset_id, amount))
                entries = (Entry(outside[asset_id], -amount), Entry(own[asset_id], amount))
                kind = "deposit" if amount > 0 else "withdrawal"
                transfers.post(transfers=[Transfer(uuid7(), kind, entries)], now=at)
        for back in range(length, -1, -1):
            day = now.date() - timedelta(days=back)
            if back % 5 != 3:  # some days have no rate of their own
                for asset_id, price in ((BTC, 50_000 + 17 * back), (ETH, 2_000 + 3 * back)):
                    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
                    RateDay.objects.update_or_create(
                        asset_id=asset_id, day=day, defaults={"price": Decimal(price), "as_of": at}
                    )
        days.gather()

    def worth_at(self, day: date) -> int:
        """In cents, by hand: every move up to that day, at the newest rate up to it."""
        total = Fraction(0)
        for asset_id, units in UNITS.items():
            balance = sum(amount for on, asset, amount in self.moves if asset == asset_id and on <= day)
            rates = RateDay.objects.filter(asset_id=asset_id, day__lte=day).order_by("-day")
            price = Fraction(1) if asset_id == USD else Fraction(rates[0].price) if rates else Fraction(0)
            total += balance * price / units
        return int(total * 100)


@pytest.fixture
def now() -> datetime:
    return timezone.now().replace(hour=15)


def total_of(user_id: int, now: datetime) -> int:
    return portfolio.total(user_id=user_id, currency=display.currency("USD"), now=now)


@pytest.mark.parametrize(("range", "length"), [("7d", 40), ("30d", 40), ("90d", 40), ("1y", 200), ("all", 40)])
def test_points_equal_the_ledger_replayed(person: Any, prices: None, now: datetime, range: str, length: int) -> None:
    life = Life(person("anna").user_id, now, length=length, seed=length)
    total = total_of(life.user_id, now)
    found = worth.over_time(user_id=life.user_id, range=range, total=total, currency=display.currency("USD"), now=now)
    expected_days = min(worth.RANGES[range], length)
    assert found.points[-1].day == now.date() and found.points[-1].worth == total
    assert (now.date() - found.points[0].day).days in {expected_days - each for each in (0, 1, 2)}
    assert len(found.points) <= worth.POINTS_MAX and len(found.points) > expected_days // 3
    for point in found.points[:-1]:
        assert point.worth == life.worth_at(point.day), point.day
    assert any(point.worth for point in found.points[:-1])
    assert found.change == found.points[-1].worth - found.points[0].worth


def test_points_are_right_again_after_mending(person: Any, prices: None, now: datetime) -> None:
    life = Life(person("anna").user_id, now, length=20, seed=7)

    def points() -> list[int]:
        found = worth.over_time(user_id=life.user_id, range="30d", total=0, currency=display.currency("USD"), now=now)
        return [point.worth for point in found.points]

    right = points()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ledger_day SET debits = debits + 12345")
    assert points() != right
    days.mend_some(now=now)
    assert points() == right


def test_another_currency_values_each_day_at_its_own_rate(person: Any, prices: None, now: datetime) -> None:
    life = Life(person("anna").user_id, now, length=10, seed=3)
    bitcoin = display.currency("BTC")
    found = worth.over_time(user_id=life.user_id, range="7d", total=1, currency=bitcoin, now=now)
    assert found.currency.code == "BTC"
    for point in found.points[:-1]:
        price = RateDay.objects.filter(asset_id=BTC, day__lte=point.day).order_by("-day")[0].price
        cents = life.worth_at(point.day)
        assert (
            abs(point.worth - Fraction(cents) / 100 / Fraction(price) * 10**8) <= Fraction(10**6) / Fraction(price) + 1
        )


def test_it_costs_the_same_whatever_was_moved(person: Any, prices: None, now: datetime) -> None:
    quiet, busy = person("quiet"), person("busy")
    Life(quiet.user_id, now, length=2, seed=1)
    Life(busy.user_id, now, length=60, seed=2)
    asked = []
    for each in (quiet, busy):
        each.get("/wallet/worth/?range=1y")
        with CaptureQueriesContext(connection) as counted:
            assert each.get("/wallet/worth/?range=1y").status_code == 200
        asked.append(len(counted))
        assert not any("ledger_entry" in query["sql"] for query in counted)
    assert asked[0] == asked[1]


def test_the_plot_stands_on_the_page_with_a_table_of_the_same_points(person: Any, prices: None, now: datetime) -> None:
    anna = person("anna")
    Life(anna.user_id, now, length=12, seed=4)
    text = anna.get("/wallet/?range=7d").content.decode()
    path = re.search(r'class="plot-path" d="M([^"]+)"', text)
    assert path is not None
    rows = re.findall(r'<tr data-y="(\d+)"><th scope="row">([^<]+)</th><td class="right num">([^<]+)</td>', text)
    assert len(rows) == len(path[1].split("L")) == 8
    assert [f"{place.split(' ')[1]}" for place in path[1].split("L")] == [y for y, _, _ in reversed(rows)]
    assert rows[0][1] == "now" and f'<p class="worth-figure num">{html.unescape(rows[0][2])}</p>' in text
    assert 'role="img" aria-label="What you hold was worth over time' in text
    assert "style=" not in text


def test_what_is_strange_in_the_address_is_the_usual_range(person: Any, prices: None, now: datetime) -> None:
    anna = person("anna")
    Life(anna.user_id, now, length=3, seed=4)
    text = anna.get("/wallet/?range=%3Cscript%3E").content.decode()
    assert re.search(r'\?range=30d"[^>]*aria-current="true"', text)


def test_before_the_first_day_is_over_it_says_when_the_line_begins(alice: Any) -> None:
    days.gather()
    text = alice.get("/wallet/").content.decode()
    assert "begins tomorrow" in text and "plot-path" not in text


def test_shares_come_to_the_whole_and_the_smallest_are_together(person: Any, now: datetime) -> None:
    anna = person("anna")
    for asset_id, price in ((BTC, 50_000), (2, 100), (ETH, 2_000), (USDT, 1)):
        Rate.objects.update_or_create(
            asset_id=asset_id, defaults={"price": price, "as_of": now, "fetched_at": now, "source": "test"}
        )
    Life(anna.user_id, now, length=6, seed=5)
    found = portfolio.of(user_id=anna.user_id, currency=display.currency("USD"), now=now)
    assert sum(share.thousandths for share in found.shares) == 1_000
    assert sum(share.worth for share in found.shares) == found.total
    text = anna.get("/wallet/").content.decode()
    for share in found.shares:
        assert f'<td class="num">{share.percent} %</td>' in text
    assert len(ledger.balances(owner_id=anna.user_id)) >= len(found.shares) >= 2
