"""Tiers by the volume of thirty days: every trade counts once, on both sides; engines are told of differences alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest
import redis

from exchange.assets.models import Rate
from exchange.audit.models import Record
from exchange.core.errors import DomainError
from tests.integration.trading.conftest import ALICE, BOB, CAROL
from trading import selectors, wire
from trading.models import Shard, Volume, VolumeMark
from trading.services import catalogue, fees, markets, volumes

pytestmark = pytest.mark.django_db(transaction=True)
STAFF = 7
TODAY = datetime.now(UTC)


def now() -> datetime:
    """One moment for the whole file: a day that ends between two of its lines would be another day's volume."""
    return TODAY


@pytest.fixture(autouse=True)
def _prepared(settings: Any) -> None:
    catalogue.forget()
    settings.ENGINE_REPLY_TIMEOUT_S = 0.2  # no engine runs here
    for asset_id, price in ((4, "1"), (1, "20000.5")):
        Rate.objects.update_or_create(
            asset_id=asset_id, defaults={"price": price, "as_of": now(), "fetched_at": now(), "source": "test"}
        )


class Trades:
    """Trades as the engine would have committed them."""

    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor
        self.numbers: dict[int, int] = {}

    def add(
        self,
        maker: int,
        taker: int,
        *,
        price: int,
        lots: int,
        market: int = 1,
        shard: int = 0,
        at: datetime | None = None,
    ) -> None:
        number = self.numbers[shard] = self.numbers.get(shard, 0) + 1
        self.cursor.execute(
            "INSERT INTO trading_trade (id, market_id, price, lots, taker_side, maker_order_id, taker_order_id, maker_id, "
            "taker_id, buyer_fee, seller_fee, at) VALUES (%s, %s, %s, %s, 1, 1, 2, %s, %s, 0, 0, %s); "
            "UPDATE trading_shard SET next_trade = %s WHERE id = %s",
            (number * 1024 + shard, market, price, lots, maker, taker, at or now(), number + 1, shard),
        )


@pytest.fixture
def trades(owner_connection: Any) -> Trades:
    return Trades(owner_connection.cursor())


def volume(user_id: int) -> str:
    return selectors.fees(user_id, now=now()).volume


def test_a_trade_counts_once_for_both_sides(trades: Trades) -> None:
    trades.add(ALICE, BOB, price=2_000_000, lots=10_000)  # 1 BTC at 20,000 USDT
    for _ in range(2):
        volumes.gather()
        volumes.value(now=now())
    assert (volume(ALICE), volume(BOB), volume(CAROL)) == ("20000", "20000", "0")
    trades.add(BOB, CAROL, price=2_000_000, lots=5_000)
    volumes.gather()
    volumes.value(now=now())
    assert (volume(ALICE), volume(BOB), volume(CAROL)) == ("20000", "30000", "10000")


def test_slices_and_shards_are_counted_each_to_its_own_end(
    trades: Trades, owner_connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volumes, "TRADES_AT_ONCE", 2)
    Shard.objects.get_or_create(id=1)
    cursor = owner_connection.cursor()
    cursor.execute("UPDATE trading_market SET shard_id = 1 WHERE symbol = 'LTC-USDT'")
    for _ in range(5):
        trades.add(ALICE, BOB, price=1_000, lots=10_000)  # 10 USDT each
    for _ in range(3):
        trades.add(ALICE, CAROL, price=1_000, lots=1_000, market=3, shard=1)
    volumes.gather()
    volumes.value(now=now())
    assert (volume(ALICE), volume(BOB), volume(CAROL)) == ("80", "50", "30")
    assert dict(VolumeMark.objects.values_list("shard_id", "next_trade")) == {0: 6, 1: 4}


def test_each_run_values_at_its_own_rate_and_cuts_to_the_cent(trades: Trades) -> None:
    eth_btc = 4
    trades.add(ALICE, BOB, price=333, lots=1, market=eth_btc)  # 0.001 ETH at 0.00333 BTC: 333 satoshi, 6.66 cents
    volumes.gather()
    volumes.value(now=now())
    assert volume(ALICE) == "0.06"
    Rate.objects.filter(asset_id=1).update(price="40000")
    trades.add(ALICE, BOB, price=333, lots=10, market=eth_btc)  # 3330 satoshi at 40,000: 1.332 dollars
    volumes.gather()
    volumes.value(now=now())
    assert volume(ALICE) == "1.39"
    row = Volume.objects.get(user_id=ALICE)
    assert (int(row.units), int(row.valued_units), int(row.usd_units)) == (3663, 3663, 139)


def test_what_has_no_fresh_rate_waits_for_one(trades: Trades) -> None:
    Rate.objects.filter(asset_id=4).update(as_of=now() - timedelta(hours=2))
    trades.add(ALICE, BOB, price=1_000, lots=10_000)
    volumes.gather()
    volumes.value(now=now())
    assert volume(ALICE) == "0"
    Rate.objects.filter(asset_id=4).update(as_of=now())
    volumes.value(now=now())
    assert volume(ALICE) == "10"


def test_only_thirty_days_count(trades: Trades) -> None:
    for days in (30, 29, 0):
        trades.add(ALICE, BOB, price=1_000, lots=10_000, at=now() - timedelta(days=days))
    volumes.gather()
    volumes.value(now=now())
    assert Volume.objects.filter(user_id=ALICE).count() == 3
    assert volume(ALICE) == "20"
    assert volumes.first_day(datetime(2026, 3, 31, tzinfo=UTC)) == date(2026, 3, 1)


def tier(name: str, volume_from: str, maker: int, taker: int) -> int:
    return fees.add_tier(
        name=name, volume_from=volume_from, maker_fee_ppm=maker, taker_fee_ppm=taker, actor_id=STAFF, now=now()
    )


def asked(valkey: redis.Redis) -> list[tuple[int, int, int]]:
    """(customer, maker, taker) of every command in the stream, which is emptied."""
    bodies = [orjson.loads(fields[b"c"]) for _, fields in valkey.xrange(wire.stream(0))]
    valkey.delete(wire.stream(0))
    assert {body["op"] for body in bodies} <= {"fees"}
    return sorted((body["user"], body["maker"], body["taker"]) for body in bodies)


def test_engines_are_told_of_differences_alone(trades: Trades, owner_connection: Any, valkey: redis.Redis) -> None:
    tier("Silver", "10000", 500, 1500)
    tier("Gold", "25000", -100, 1000)
    trades.add(ALICE, BOB, price=2_000_000, lots=10_000)  # 20,000
    trades.add(ALICE, CAROL, price=2_000_000, lots=2_500)  # 5,000
    assert fees.refresh(now=now()) == 0, "nobody answered, so nobody was told"
    assert asked(valkey) == [(ALICE, -100, 1000), (BOB, 500, 1500)]
    for user_id, maker, taker in ((ALICE, -100, 1000), (BOB, 400, 1500), (CAROL, 500, 1500)):
        owner_connection.cursor().execute(
            "INSERT INTO trading_account_fee (id, shard_id, user_id, maker_fee_ppm, taker_fee_ppm) VALUES (%s, 0, %s, %s, %s)",
            (user_id * 1024, user_id, maker, taker),
        )
    fees.refresh(now=now())
    assert asked(valkey) == [(BOB, 500, 1500), (CAROL, *fees.NO_TIER)]
    owner_connection.cursor().execute("UPDATE trading_account_fee SET maker_fee_ppm = 500 WHERE user_id = %s", (BOB,))
    owner_connection.cursor().execute(
        "UPDATE trading_account_fee SET maker_fee_ppm = 999999, taker_fee_ppm = 999999 WHERE user_id = %s", (CAROL,)
    )
    fees.refresh(now=now())
    assert asked(valkey) == []


def test_a_customer_sees_tier_volume_and_what_counts(trades: Trades, owner_connection: Any) -> None:
    tier("Silver", "10000", 500, 2500)
    tier("Gold", "25000", -100, 1000)
    trades.add(ALICE, BOB, price=2_000_000, lots=6_000)
    volumes.gather()
    volumes.value(now=now())
    owner_connection.cursor().execute(
        "INSERT INTO trading_account_fee (id, shard_id, user_id, maker_fee_ppm, taker_fee_ppm) VALUES (1, 0, %s, 500, 2500)",
        (ALICE,),
    )
    seen = selectors.fees(ALICE, now=now())
    assert (seen.tier, seen.volume, seen.maker_fee, seen.taker_fee) == ("Silver", "12000", "0.0005", "0.0025")
    assert (seen.next_tier, seen.next_volume, seen.currency) == ("Gold", "25000", "USD")
    assert (seen.markets[0].market, seen.markets[0].maker_fee, seen.markets[0].taker_fee) == (
        "BTC-USDT",
        "0.0005",
        "0.002",
    )
    nobody = selectors.fees(CAROL, now=now())
    assert (nobody.tier, nobody.maker_fee, nobody.next_tier) == (None, None, "Silver")
    assert nobody.markets[0].maker_fee == "0.001"


@pytest.mark.parametrize(
    ("given", "param"),
    [
        (("", "5", 1, 1), "name"),
        (("x" * 41, "5", 1, 1), "name"),
        (("Silver", "5", 1, 1), "name"),
        (("Bronze", "10000", 1, 1), "volume_from"),
        (("Bronze", "0", 1, 1), "volume_from"),
        (("Bronze", "5.001", 1, 1), "volume_from"),
        (("Bronze", "5", 1, -1), "taker_fee_ppm"),
        (("Bronze", "5", 1_000_000, 1), "taker_fee_ppm"),
        (("Bronze", "5", -1600, 2000), "maker_fee_ppm"),
        (("Bronze", "5", -100, 50), "maker_fee_ppm"),
    ],
)
def test_an_impossible_tier_is_refused(given: tuple[str, str, int, int], param: str) -> None:
    tier("Silver", "10000", 500, 1500)
    with pytest.raises(DomainError) as caught:
        tier(*given)
    assert caught.value.param == param


def test_a_market_does_not_undercut_a_tiers_rebate() -> None:
    tier("Gold", "25000", -100, 1000)
    with pytest.raises(markets.MarketRulesInvalid):
        markets.set_rules_sync(symbol="BTC-USDT", taker_fee_ppm=50, actor_id=STAFF, now=now())
    with pytest.raises(markets.MarketRefused):
        markets.open(
            symbol="LTC-BTC", base_asset_id=2, quote_asset_id=1, base_decimals=8, quote_decimals=8, price_decimals=6,
            quantity_decimals=2, maker_fee_ppm=0, taker_fee_ppm=50, now=now(),
        )  # fmt: skip


def test_what_engines_still_believe_counts_until_they_know_better(owner_connection: Any) -> None:
    tier_id = tier("Gold", "25000", -100, 1000)
    owner_connection.cursor().execute(
        "INSERT INTO trading_account_fee (id, shard_id, user_id, maker_fee_ppm, taker_fee_ppm) VALUES (1, 0, %s, -100, 1000)",
        (ALICE,),
    )
    fees.remove_tier(tier_id=tier_id, actor_id=STAFF, now=now())
    with pytest.raises(fees.FeeTierInvalid):
        tier("Silver", "10000", 0, 50)
    owner_connection.cursor().execute("UPDATE trading_account_fee SET maker_fee_ppm = 999999, taker_fee_ppm = 999999")
    tier("Silver", "10000", 0, 50)


def test_every_change_of_a_tier_is_on_record() -> None:
    tier_id = tier("Silver", "10000", 500, 1500)
    fees.edit_tier(
        tier_id=tier_id, name="Silver", volume_from="12000.5", maker_fee_ppm=400, taker_fee_ppm=1500, actor_id=STAFF,
        now=now(),
    )  # fmt: skip
    fees.remove_tier(tier_id=tier_id, actor_id=STAFF, now=now())
    with pytest.raises(fees.FeeTierNotFound):
        fees.remove_tier(tier_id=tier_id, actor_id=STAFF, now=now())
    rows = Record.objects.filter(subject=f"fee_tier:{tier_id}").order_by("id")
    assert [(row.actor_id, row.action) for row in rows] == [
        (STAFF, "trading.fee_tier_add"), (STAFF, "trading.fee_tier_edit"), (STAFF, "trading.fee_tier_remove"),
    ]  # fmt: skip
    assert rows[1].before == {"name": "Silver", "volume_from": "10000", "maker_fee_ppm": 500, "taker_fee_ppm": 1500}
    assert rows[1].after == {"name": "Silver", "volume_from": "12000.5", "maker_fee_ppm": 400, "taker_fee_ppm": 1500}
    assert rows[2].after is None
