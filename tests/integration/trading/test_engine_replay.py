"""`manage.py engine replay`: every stored command again gives the stored book, and where it does not, it says where."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

import psycopg2
import pytest
from django.core.management import CommandError, call_command

from tests.integration.trading.conftest import ALICE, BOB, Money
from tests.integration.trading.desk import BUY, SELL, STOP_LIMIT, TRAILING_STOP, Desk
from trading.engine.rules import MarketState
from trading.models import Command, Order, Shard
from trading.wire import encode_market_state

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def traded(desk: Desk, money: Money) -> Desk:
    """A little of everything that leaves something behind."""
    money.fund(ALICE, BTC="1", USDT="10000")
    money.fund(BOB, BTC="1", USDT="10000")
    first = desk.place(ALICE, SELL, lots=100, price=2_000_000)
    desk.place(BOB, BUY, lots=40, price=2_000_000, client="mine")
    desk.place(BOB, BUY, lots=40, price=1_999_000, display_lots=10)
    desk.place(ALICE, SELL, lots=30, price=1_998_000, stop_price=1_999_500, kind=STOP_LIMIT)
    desk.place(ALICE, SELL, lots=10, kind=TRAILING_STOP, trail_ticks=3_000)
    desk.oco(BOB, BUY, lots=5, price=1_990_000, stop=2_010_000)
    desk.amend(ALICE, first.id, lots=70)
    desk.place(BOB, BUY, lots=1_000_000, price=2_500_000)
    desk.place(BOB, BUY, lots=1, price=1_000_000, client="mine")
    desk.cancel(BOB, 77 * 1024)
    desk.place(ALICE, SELL, lots=15)
    desk.ask(encode_market_state, 1, market_id=1, state=int(MarketState.POST_ONLY))
    return desk


def replay(*arguments: str) -> str:
    out = StringIO()
    call_command("engine", "replay", "--shard", "0", *arguments, stdout=out)
    return out.getvalue()


def test_the_commands_give_the_book(traded: Desk) -> None:
    told = replay()
    assert told.splitlines()[-1] == "  the same"
    assert f"replayed {traded.state_hash()}" in told and f"loaded   {traded.state_hash()}" in told
    assert f"{Command.objects.count()} commands" in told
    verdicts = set(Command.objects.values_list("verdict", flat=True))
    assert {"accepted", "insufficient_funds", "duplicate", "order_not_found"} <= verdicts, "the test lost its variety"


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE trading_order SET filled_lots = filled_lots + 1, held = held - 10000 WHERE id = {live}", "filled_lots"),
        ("UPDATE trading_order SET state = 3, phase = 0, held = 0 WHERE id = {live}", "by the commands alone"),
        ("UPDATE trading_order SET held = held + 1 WHERE id = {live}", "holds"),
        ("UPDATE trading_command SET verdict = 'post_only_would_match' WHERE order_id = {live}", "was answered"),
        ("UPDATE trading_command SET order_id = 5 WHERE order_id = {live}", "order 5"),
        ("DELETE FROM trading_trade", "stored is None"),
        ("UPDATE trading_trade SET buyer_fee = buyer_fee - 1", "is replayed, and stored is"),
        ("DELETE FROM trading_command WHERE order_id = {live}", "command"),
        ("UPDATE trading_market SET state = 1 WHERE id = 1", "state"),
        ("UPDATE trading_market SET taker_fee_ppm = 1 WHERE id = 1", "market 1: market"),
        ("UPDATE trading_shard SET next_trade = next_trade + 1", "next_trade"),
    ],
)  # fmt: skip
def test_it_says_where_the_tables_differ(
    traded: Desk, owner_connection: psycopg2.extensions.connection, statement: str, words: str
) -> None:
    live = Order.objects.filter(state=1, kind=1, user_id=ALICE).values_list("id", flat=True)[0]
    traded.die()
    with owner_connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM trading_command")
        cursor.execute(statement.format(live=live))
        assert cursor.rowcount > 0, "nothing was changed"
    out = StringIO()
    with pytest.raises(CommandError) as raised:
        call_command("engine", "replay", "--shard", "0", stdout=out)
    assert raised.value.returncode == 1
    assert words in out.getvalue(), out.getvalue()
    assert "the same" not in out.getvalue()


def test_it_writes_nothing_and_may_run_beside_the_engine(traded: Desk, database_url: Callable[[str], str]) -> None:
    before = Order.objects.count(), Command.objects.count()
    for _ in range(3):
        replay()
        traded.place(BOB, BUY, lots=1, price=1_000_000)
    assert (Order.objects.count(), Command.objects.count()) == (before[0] + 3, before[1] + 3)
    traded.check()


def test_there_is_no_such_shard(traded: Desk) -> None:
    with pytest.raises(CommandError, match="no shard 9"):
        call_command("engine", "replay", "--shard", "9", stdout=StringIO())


def test_status_tells_who_leads(traded: Desk) -> None:
    out = StringIO()
    traded.process._heart.claim(Shard.objects.get(id=0).epoch)  # the heart beats in the process alone
    call_command("engine", "status", stdout=out)
    assert f"led by {traded.process.name}" in out.getvalue() and "BTC-USDT" in out.getvalue()
    traded.leave()
    out = StringIO()
    with pytest.raises(CommandError, match="No engine leads shard 0") as raised:
        call_command("engine", "status", stdout=out)
    assert raised.value.returncode == 1 and "nobody" in out.getvalue()
