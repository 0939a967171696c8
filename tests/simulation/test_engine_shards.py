"""Three shards on one database, trading the same customers and the same assets at once, in processes of their own.

Every batch locks the accounts of all it touches in one order, so shards wait for each other and never stand crosswise. What they
had to try again is counted and printed; a book that had to be loaded anew fails the test.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psycopg2
import pytest
import redis
from django.conf import settings

from exchange.ledger import reconciliation
from tests.integration.trading.conftest import Money, now
from tests.simulation.rig import books
from tests.simulation.rig.engines import Engines
from tests.simulation.rig.load import Load
from tests.simulation.rig.orders import Pitch, Traders
from tests.simulation.rig.recorder import Recorder
from trading.models import Command, Shard, Trade

pytestmark = pytest.mark.django_db(transaction=True)
USERS = list(range(201, 213))  # few, so that the shards want the same rows all the time
SHARDS = {1: 0, 2: 1, 4: 2}  # BTC-USDT, ETH-USDT and ETH-BTC: every two of them share an asset
PITCHES = [Pitch(1, 0, 2_000_000), Pitch(2, 1, 150_000), Pitch(4, 2, 5_000)]
SECONDS, PER_S = 6.0, 1_500


def spread(connection: psycopg2.extensions.connection) -> None:
    """The seeded markets, each on a shard of its own."""
    with connection.cursor() as cursor:
        for market_id, shard in SHARDS.items():
            Shard.objects.get_or_create(id=shard)
            cursor.execute("UPDATE trading_market SET shard_id = %s WHERE id = %s", (shard, market_id))


def test_shards_share_customers_and_assets(
    tmp_path: Path, valkey: redis.Redis, money: Money, owner_connection: psycopg2.extensions.connection,
    database_url: Callable[[str], str],
) -> None:  # fmt: skip
    for user in USERS:
        money.fund(user, BTC="50", ETH="500", USDT="1000000")
    spread(owner_connection)
    recorder = Recorder(settings.REDIS_URL, users=USERS)
    with Engines(tmp_path, valkey) as engines:
        leaders = [engines.start(shard=shard) for shard in SHARDS.values()]
        for leader in leaders:
            engines.wait_until_leading(leader)
        traders = Traders(recorder, users=USERS, pitches=PITCHES, seed=7)
        with Load(recorder, traders, per_s=PER_S):
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:
                money.fund(USERS[0], BTC="0.01", ETH="0.1", USDT="1")  # the web's own locks among the engines'
                time.sleep(0.02)
        assert recorder.wait_for_all(60), f"{recorder.unanswered} commands have no answer"
        retried = Counter(code for leader in leaders for code in leader.codes())
        loads = [leader.count("engine leads") for leader in leaders]
        logs = [leader.log for leader in leaders]
    recorder.close()
    commands, trades = Command.objects.count(), Trade.objects.count()
    print(
        f"{commands} commands, {trades} trades; deadlocks {retried['40P01']}, lock timeouts {retried['55P03']}, {retried}"
    )
    assert loads == [1] * len(leaders), logs
    assert {c.id % 1024 for c in Command.objects.only("id")} == set(SHARDS.values())
    assert trades > 100, "hardly anything was traded"
    findings = books.against_the_tables(recorder, database_url("app"))
    books.verify(findings, shards=SHARDS.values())
    assert not findings, findings
    report = reconciliation.run(now=now())
    assert report.ok, report
