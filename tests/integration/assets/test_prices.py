"""Rates: what is believed, kept and told, and what something is worth with them."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.utils import IntegrityError, ProgrammingError
from hypothesis import given
from hypothesis import strategies as st

from exchange.assets import checks, prices, selectors, tasks
from exchange.assets.models import Asset, Rate, RateHistory
from exchange.assets.services import networks, rates
from exchange.assets.sources import Quote, RateLimited, SourceFailed
from exchange.audit.models import Record

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
BTC, LTC, ETH, USDT, USD = 1, 2, 3, 4, 5
CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"

pytestmark = pytest.mark.django_db


class Source:
    """A price source whose next answer a test sets."""

    def __init__(self):
        self.answer, self.asked = {}, []

    def __call__(self, codes, *, now):
        self.asked.append(sorted(codes))
        if isinstance(self.answer, Exception):
            raise self.answer
        return [Quote(code=c, usd=Decimal(p), as_of=at) for c, (p, at) in self.answer.items()]


@pytest.fixture
def source(settings, monkeypatch):
    source = Source()
    monkeypatch.setitem(rates.SOURCES, "test", source)
    settings.PRICE_SOURCE = "test"
    return source


def told(source, now=NOW, **quotes):
    source.answer = {code: (price, now) for code, price in quotes.items()}
    return {price.code: price.usd for price in rates.refresh(now=now)}


def test_the_seeds_are_what_the_ledger_knows():
    assert [(a.id, a.code, a.decimals) for a in selectors.assets()] == [
        (1, "BTC", 8),
        (2, "LTC", 8),
        (3, "ETH", 18),
        (4, "USDT", 6),
        (5, "USD", 2),
    ]
    links = selectors.asset_networks()
    assert [(n.asset_code, n.network, n.decimals) for n in links] == [
        ("BTC", "bitcoin", 8),
        ("LTC", "litecoin", 8),
        ("ETH", "ethereum", 18),
        ("USDT", "ethereum", 6),
    ]
    assert all(isinstance(n.min_deposit, int) for n in links)


def test_larger_deposits_wait_longer():
    link = selectors.asset_network(asset="BTC", network="bitcoin")
    (tier,) = link.tiers
    assert link.confirmations_for(tier.from_amount - 1) == link.confirmations
    assert link.confirmations_for(tier.from_amount) == tier.confirmations > link.confirmations


def test_what_is_not_listed_is_named_as_the_parameter_at_fault():
    with pytest.raises(selectors.AssetNotFound) as error:
        selectors.asset("DOGE")
    assert (error.value.param, error.value.code, error.value.status) == ("asset", "asset_not_found", 404)
    with pytest.raises(selectors.AssetNotFound):
        selectors.asset_network(asset="DOGE", network="bitcoin")
    with pytest.raises(selectors.NetworkNotFound) as error:
        selectors.asset_network(asset="BTC", network="ethereum")
    assert error.value.param == "network"


def test_an_asset_switched_off_leaves_the_lists_but_not_the_books():
    Asset.objects.filter(code="LTC").update(enabled=False)
    assert "LTC" not in [a.code for a in selectors.assets()]
    assert selectors.asset("LTC").enabled is False
    assert selectors.asset_networks(asset="LTC") == []
    assert not selectors.asset_network(asset="LTC", network="litecoin").enabled


def test_a_refresh_asks_for_every_coin_once_and_keeps_what_it_was_told(source):
    assert told(source, BTC="67000.5", ETH="3400") == {"BTC": Decimal("67000.5"), "ETH": Decimal(3400)}
    assert source.asked == [["BTC", "ETH", "LTC", "USDT"]]
    assert [(p.code, p.usd, p.as_of, p.source) for p in prices.latest()] == [
        ("BTC", Decimal("67000.5"), NOW, "test"),
        ("ETH", Decimal(3400), NOW, "test"),
    ]


def test_an_older_price_never_replaces_a_newer_one(source):
    told(source, BTC="67000")
    source.answer = {"BTC": ("66000", NOW - timedelta(seconds=1))}
    assert rates.refresh(now=NOW + timedelta(minutes=1)) == []
    assert prices.latest()[0].usd == 67000


@pytest.mark.parametrize("leap", ["134000", "33500", "1"])
def test_a_leap_is_believed_only_after_ten_minutes_without_a_better_word(source, leap):
    told(source, BTC="67000")
    assert told(source, NOW + timedelta(minutes=9), BTC=leap) == {}
    assert told(source, NOW + timedelta(minutes=10), BTC=leap) == {"BTC": Decimal(leap)}


def test_a_failing_source_leaves_the_old_rates_to_grow_old(source):
    told(source, BTC="67000")
    source.answer = SourceFailed("down")
    with pytest.raises(SourceFailed):
        rates.refresh(now=NOW + timedelta(minutes=5))
    worth = prices.worth(asset_id=BTC, amount=10**8, now=NOW + timedelta(minutes=5))
    assert (worth.amount, worth.age_s) == (6700000, 300)


def test_a_source_that_asks_us_to_wait_is_not_asked_again_meanwhile(source):
    source.answer = RateLimited("slow down", retry_after_s=60)
    with pytest.raises(RateLimited):
        rates.refresh(now=NOW)
    assert rates.refresh(now=NOW) == []
    assert len(source.asked) == 1


def test_history_keeps_a_row_a_minute_and_cannot_be_changed(source):
    for second in range(0, 180, 10):
        told(source, NOW + timedelta(seconds=second), BTC=str(67000 + second))
    assert list(RateHistory.objects.order_by("as_of").values_list("price", flat=True)) == [67000, 67060, 67120]
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        connection.cursor().execute("UPDATE assets_rate_history SET price = 1")


def test_each_day_keeps_its_last_rate(source):
    """In step with the history: a quote that the history passes over does not move the day either."""
    began = NOW.replace(hour=0, minute=0)
    for minutes, price in ((0, 100), (1, 130), (1.5, 180), (24 * 60 - 1, 120), (24 * 60, 125), (5 * 24 * 60, 140)):
        told(source, began + timedelta(minutes=minutes), BTC=str(price))
    days = [began.date() + timedelta(days=each) for each in (0, 1, 5)]
    found = prices.closing(asset_ids=[BTC], since=days[1])[BTC]
    assert [(each.day, each.usd) for each in found] == [(days[0], 120), (days[1], 125), (days[2], 140)]
    assert prices.closing(asset_ids=[BTC], since=days[2] + timedelta(days=60)) == {}


def test_the_database_refuses_a_rate_of_zero():
    with pytest.raises(IntegrityError), transaction.atomic():
        Rate.objects.create(asset_id=BTC, price=0, as_of=NOW, fetched_at=NOW, source="test")


@pytest.mark.django_db(transaction=True)
def test_believed_prices_are_published_after_the_commit(source, valkey):
    listener = valkey.pubsub(ignore_subscribe_messages=True)
    listener.subscribe("prices")
    listener.get_message(timeout=5)
    told(source, BTC="67000.50", USDT="0.00000001")
    message = None
    while message is None:
        message = listener.get_message(timeout=5)
    assert json.loads(message["data"]) == {
        "time": "2026-11-20T06:00:00+00:00",
        "source": "test",
        "prices": [
            {"asset": "BTC", "usd": "67000.5", "as_of": "2026-11-20T06:00:00+00:00"},
            {"asset": "USDT", "usd": "0.00000001", "as_of": "2026-11-20T06:00:00+00:00"},
        ],
    }


def test_worth_is_rounded_down_and_carries_the_age_of_the_oldest_rate(source):
    told(source, BTC="67000.129")
    told(source, NOW + timedelta(seconds=30), ETH="3350")
    now = NOW + timedelta(seconds=40)
    assert prices.worth(asset_id=BTC, amount=10**8, now=now).amount == 6700012
    in_eth = prices.worth(asset_id=BTC, amount=10**8, in_code="ETH", now=now)
    assert in_eth.amount == 67000129 * 10**18 // 3350 // 1000
    assert (in_eth.age_s, in_eth.code, in_eth.decimals) == (40, "ETH", 18)
    assert prices.worth(asset_id=USD, amount=12345, now=now) == prices.Valuation(
        amount=12345, code="USD", decimals=2, as_of=now, age_s=0, source="definition"
    )


def test_worth_without_a_rate_is_unknown_not_nothing(source):
    told(source, BTC="67000")
    assert prices.worth(asset_id=LTC, amount=5, now=NOW) is None
    assert prices.worth(asset_id=BTC, amount=5, in_code="LTC", now=NOW) is None
    assert prices.worth(asset_id=BTC, amount=5, in_code="XXX", now=NOW) is None
    assert prices.worth(asset_id=99, amount=5, now=NOW) is None
    assert set(prices.worths(amounts={BTC: 1, LTC: 1, USD: 1}, now=NOW)) == {BTC, USD}


def test_worths_takes_two_queries_whatever_their_number(source, django_assert_num_queries):
    told(source, BTC="67000", ETH="3400", LTC="80", USDT="1")
    with django_assert_num_queries(2):
        assert len(prices.worths(amounts={1: 5, 2: 5, 3: 5, 4: 5, 5: 5}, now=NOW)) == 5


@given(st.integers(0, 10**30), st.decimals("0.00000001", "1000000", places=8))
def test_worth_is_exact_for_any_amount(amount, price):
    quote = prices._Quote(decimals=18, usd=prices.Fraction(price), as_of=NOW, source="x")
    usd = prices._Quote(decimals=2, usd=prices.Fraction(1), as_of=NOW, source="x")
    exact = prices.Fraction(amount) * prices.Fraction(price) / 10**16
    worth = prices._convert(amount, quote, usd, "USD", NOW, up=False).amount
    assert worth <= exact < worth + 1
    never_less = prices._convert(amount, quote, usd, "USD", NOW, up=True).amount
    assert never_less - 1 < exact <= never_less


def test_the_simulated_source_serves_the_demo_and_no_other(settings):
    settings.PRICE_SOURCE, settings.DEMO = "simulated", True
    assert {p.code for p in rates.refresh(now=NOW)} == {"BTC", "LTC", "ETH", "USDT", "EUR", "GBP", "CHF"}
    assert checks.price_source_is_real(None) == []
    settings.DEMO = False
    assert [e.id for e in checks.price_source_is_real(None)] == ["assets.E001"]
    settings.PRICE_SOURCE = "crystal ball"
    assert [e.id for e in checks.price_source_is_real(None)] == ["assets.E002"]


def test_the_source_is_asked_once_in_an_interval_however_many_workers(source, settings):
    settings.PRICE_REFRESH_S = 60
    source.answer = {"BTC": ("67000", NOW)}
    assert len(rates.refresh_when_due(now=NOW)) == 1
    assert rates.refresh_when_due(now=NOW + timedelta(seconds=1)) == []
    assert len(source.asked) == 1


def test_the_task_outlives_a_source_that_fails(source):
    source.answer = SourceFailed("down")
    tasks.refresh_prices()
    assert len(source.asked) == 1


def test_without_a_source_a_refresh_says_what_to_set(settings):
    settings.PRICE_SOURCE, settings.CMC_API_KEY, settings.DEMO = "", "", False
    with pytest.raises(SourceFailed, match="CMC_API_KEY"):
        rates.refresh(now=NOW)


def set_contract(contract=CONTRACT, asset="USDT", network="ethereum", **fields):
    return networks.set_contract(asset=asset, network=network, contract=contract, now=NOW, **fields)


def test_a_token_contract_is_checked_kept_checksummed_and_audited():
    assert set_contract(CONTRACT.lower()).contract == CONTRACT
    record = Record.objects.get(action="asset_network.set_contract")
    assert (record.before, record.after) == ({"contract": ""}, {"contract": CONTRACT})
    set_contract()
    assert Record.objects.count() == 1


def test_another_contract_needs_the_word_replace():
    set_contract()
    other = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"
    with pytest.raises(networks.ContractSet):
        set_contract(other)
    assert set_contract(other, replace=True).contract == other


@pytest.mark.parametrize(
    "contract",
    ["", "0x", "5FbDB2315678afecb367f032d93F642f64180aa", CONTRACT[:-1], CONTRACT.replace("F", "f", 1), "bc1qxyz"],
)
def test_what_is_no_contract_is_refused(contract):
    with pytest.raises(networks.ContractInvalid) as error:
        set_contract(contract)
    assert error.value.param == "contract"


def test_a_chain_without_contracts_takes_none():
    with pytest.raises(networks.ContractInvalid):
        set_contract(asset="BTC", network="bitcoin")


def test_the_command_sets_a_contract_or_says_why_not(capsys):
    with pytest.raises(CommandError, match="does not answer"):  # no node here says how many digits the token has
        call_command("assets", "set_contract", "USDT", "ethereum", CONTRACT)
    call_command("assets", "set_contract", "USDT", "ethereum", CONTRACT, "--unchecked")
    assert CONTRACT in capsys.readouterr().out
    with pytest.raises(CommandError, match="no such asset"):
        call_command("assets", "set_contract", "XYZ", "ethereum", CONTRACT)
    call_command("assets", "list")
    assert "USDT over ethereum: on" in capsys.readouterr().out


def test_the_ids_of_assets_cannot_be_removed_by_the_runtime_role():
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        connection.cursor().execute("DELETE FROM assets_asset")
