"""What the database refuses: roles that write what is not theirs, a shard moved on by an old epoch, a missing partition."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
from django.utils import timezone

from tests.integration.trading.conftest import ALICE, Money
from trading import tasks
from trading.models import Market, Shard
from trading.runner import leadership, store
from trading.runner.stream import Position

pytestmark = pytest.mark.django_db(transaction=True)
ORDER = (
    "INSERT INTO trading_order (id, user_id, market_id, side, kind, time_in_force, price, lots, quote_units, filled_lots, "
    "filled_quote, fee, state, reason, base_account, quote_account, created_at, updated_at, rank, phase, held) "
    "VALUES ({id}, 1, 1, 1, 1, 1, 5, 5, 0, 0, 0, 0, 1, '', 1, 2, now(), now(), 1, 1, 25)"
)


@pytest.fixture
def connect(database_url: Callable[[str], str]) -> Any:
    opened = []

    def as_role(role: str) -> Any:
        connection = psycopg2.connect(database_url(role))
        connection.autocommit = True
        opened.append(connection)
        return connection.cursor()

    yield as_role
    for connection in opened:
        connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        ORDER.format(id=1024),
        ORDER.format(id=1024).replace("trading_order ", "trading_order_p0 "),
        "UPDATE trading_order SET state = 3",
        "DELETE FROM trading_trade",
        "UPDATE trading_shard SET epoch = epoch + 1",
        "DELETE FROM trading_command_key",
        "DELETE FROM trading_command_key_h0",
        "INSERT INTO trading_candle (id) VALUES (1)",
        "DELETE FROM trading_market",
        "UPDATE trading_market SET maker_fee_ppm = 0",
        "INSERT INTO trading_account_fee VALUES (1024, 0, 1, 0, 0)",
        "DELETE FROM trading_countdown",
    ],
)
def test_the_web_role_does_not_write_what_the_engine_writes(statement: str, connect: Any) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        connect("app").execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_account SET balance = 5",
        "INSERT INTO ledger_entry (id, transfer_id, account_id, amount) VALUES (32, 1, 1, 5)",
        "DELETE FROM trading_order",
        "UPDATE trading_trade SET price = 1",
        "DELETE FROM trading_command",
        "UPDATE trading_market SET lot_base_units = 1",
        "SELECT * FROM accounts_user",
        "SELECT * FROM wallets_withdrawal",
        "SELECT trading_expire_keys(now())",
    ],
)
def test_the_engine_role_does_no_more_than_an_engine(statement: str, connect: Any) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        connect("engine").execute(statement)


@pytest.mark.parametrize("role", ["signer"])
def test_other_roles_do_not_even_look(role: str, connect: Any) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        connect(role).execute("SELECT * FROM trading_order")


def test_a_batch_of_an_old_epoch_or_sequence_is_refused(connect: Any) -> None:
    cursor = connect("engine")
    cursor.execute(store.SESSION)
    take = leadership.take(cursor.connection, shard=0, name="test")
    finish = {
        "shard": 0, "published_seq": 0, "counters": (2, 2, 2), "position": Position("g", "1-1"), "market_sequences": {},
        "last_prices": {},
        "record": b"{}", "at": "2026-11-20 00:00:00+00",
    }  # fmt: skip
    store.finish(cursor, epoch=take.epoch, seq=1, **finish)
    with pytest.raises(leadership.Fenced):
        store.finish(cursor, epoch=take.epoch, seq=3, **finish)
    with pytest.raises(leadership.Fenced):
        store.finish(cursor, epoch=take.epoch - 1, seq=2, **finish)
    assert Shard.objects.get(id=0).seq == 1


def test_a_new_leader_ends_the_old_ones_session(connect: Any) -> None:
    old, new = connect("engine"), connect("engine")
    first = leadership.take(old.connection, shard=0, name="old")
    second = leadership.take(new.connection, shard=0, name="new")
    assert second.epoch == first.epoch + 1
    with pytest.raises(psycopg2.OperationalError):
        old.execute("SELECT 1")
    with pytest.raises(leadership.ShardUnknown):
        leadership.take(new.connection, shard=77, name="new")


def test_partitions_are_made_ahead_of_the_counters(owner_connection: Any, connect: Any) -> None:
    assert tasks.make_partitions() == 0
    cursor = owner_connection.cursor()
    with pytest.raises(psycopg2.errors.CheckViolation):
        cursor.execute(ORDER.format(id=45_000_000 * 1024))
    cursor.execute("UPDATE trading_shard SET next_order = 45000000")
    assert tasks.make_partitions() == 3
    cursor.execute(ORDER.format(id=45_000_000 * 1024))
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        connect("app").execute("DELETE FROM trading_order_p4")


def test_keys_are_kept_for_their_time(owner_connection: Any) -> None:
    cursor = owner_connection.cursor()
    for number, days in ((1, 40), (2, 1)):
        at = timezone.now() - timedelta(days=days)
        cursor.execute(
            "INSERT INTO trading_command VALUES (%s, 1, 5, '{}', 'insufficient_funds', NULL, %s); "
            "INSERT INTO trading_command_key VALUES (gen_random_uuid(), %s); "
            "INSERT INTO trading_order_key VALUES (5, %s, %s)",
            (number, at, number, f"client-{number}", number),
        )
    assert tasks.expire_keys() == 2
    cursor.execute("SELECT command_id FROM trading_command_key UNION ALL SELECT command_id FROM trading_order_key")
    assert cursor.fetchall() == [(2,), (2,)]
    with pytest.raises(psycopg2.errors.RaiseException):
        cursor.execute("SELECT trading_expire_keys(now())")


def test_what_open_orders_hold_is_part_of_the_reconciliation(owner_connection: Any, money: Money) -> None:
    """An order in the table that holds nothing in the ledger is a mismatch, and stops withdrawals."""
    from exchange.ledger import reconciliation
    from exchange.ledger import selectors as ledger

    money.fund(ALICE, USDT="100")
    account = ledger.account_ids(owner_id=ALICE)[4]
    cursor = owner_connection.cursor()
    assert reconciliation.run(now=timezone.now()).ok
    cursor.execute(ORDER.format(id=1024).replace("1, 2, now()", f"1, {account}, now()"))
    report = reconciliation.run(now=timezone.now())
    assert [(m.sort, m.account_id, m.expected) for m in report.mismatches] == [("held", account, 25)]


IMPOSSIBLE_ORDERS = [
    "phase = 0", "phase = 4", "phase = -1", "state = 3", "state = 3, held = 0", "state = 2, phase = 0", "held = -1", "kind = 8",
    "kind = 0", "time_in_force = 5", "terms = '[1]'", "rank = NULL", "filled_lots = 6", "lots = 0", "quote_units = 5",
]  # fmt: skip
IMPOSSIBLE_MARKETS = [
    "maker_fee_ppm = -2001", "maker_fee_ppm = 1000000", "taker_fee_ppm = 1999", "taker_fee_ppm = -1", "slippage_ppm = 0",
    "slippage_ppm = 1000001", "band_ppm = -1", "min_notional = -1", "max_open_orders = -1",
]  # fmt: skip


def test_no_row_says_what_cannot_be(owner_connection: Any) -> None:
    """An order's phase and state agree, what is done holds nothing; and no market pays more than it takes."""
    cursor = owner_connection.cursor()
    cursor.execute(ORDER.format(id=1024))
    for good in ("state = 2, phase = 0, held = 0", "fee = -5", "phase = 3, state = 1, held = 25", "terms = '{}'"):
        cursor.execute(f"UPDATE trading_order SET {good}")
    cursor.execute("UPDATE trading_market SET maker_fee_ppm = -2000")
    for table, changes in (("trading_order", IMPOSSIBLE_ORDERS), ("trading_market", IMPOSSIBLE_MARKETS)):
        for change in changes:
            with pytest.raises(psycopg2.errors.IntegrityError):
                cursor.execute(f"UPDATE {table} SET {change}")


def test_the_four_markets_are_seeded() -> None:
    units = {m.symbol: (int(m.lot_base_units), int(m.tick_quote_units)) for m in Market.objects.all()}
    assert units == {
        "BTC-USDT": (10_000, 1),
        "ETH-USDT": (10**14, 1),
        "LTC-USDT": (100_000, 10),
        "ETH-BTC": (10**15, 1),
    }
