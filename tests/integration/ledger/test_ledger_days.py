"""Daily sums of customers' accounts: equal to the ledger replayed, in whatever steps they were gathered, and mended when they are
not. What must never happen here: an expectation worked out by the SQL under test."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connection

from exchange.ledger.journal import Entry, Kind, Transfer
from exchange.ledger.models import Account
from exchange.ledger.models import Entry as EntryRow
from exchange.ledger.selectors import days as reading
from exchange.ledger.selectors import entries
from exchange.ledger.services import accounts, days, transfers
from tests.integration.ledger.conftest import ALICE, BOB, BTC, NOW, USDT

pytestmark = pytest.mark.django_db
START = datetime(2026, 10, 1, tzinfo=UTC)


def replayed() -> dict[tuple[int, date], tuple[int, int, int, int, int]]:
    """What every customer's days must be: entry by entry, in plain Python."""
    found: dict[tuple[int, date], list[int]] = {}
    owned = set(Account.objects.exclude(owner_id=None).values_list("id", flat=True))
    for entry in EntryRow.objects.select_related("transfer").order_by("id"):
        if entry.account_id in owned:
            key = (entry.account_id, entry.transfer.posted_at.astimezone(UTC).date())
            day = found.setdefault(key, [0, 0, 0, entry.id, entry.id])
            day[0] += 1
            day[1 if entry.amount > 0 else 2] += abs(entry.amount)
            day[3], day[4] = min(day[3], entry.id), max(day[4], entry.id)
    return {key: (day[0], day[1], day[2], day[3], day[4]) for key, day in found.items()}


def kept() -> dict[tuple[int, date], tuple[int, int, int, int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT account_id, day, entries, credits::text, debits::text, first_entry_id, last_entry_id FROM ledger_day"
        )
        return {(row[0], row[1]): (row[2], int(row[3]), int(row[4]), row[5], row[6]) for row in cursor.fetchall()}


def trade_about(book: Any, *, seed: int, count: int) -> None:
    """Deposits, payments to and fro and fees, at moments of two months that also run backwards; in two assets."""
    chance = random.Random(seed)
    tether = accounts.open(kind=Kind.CHAIN_WALLET, asset_id=USDT, label="hot", now=NOW)
    own = accounts.open(kind=Kind.CUSTOMER, asset_id=USDT, owner_id=ALICE, now=NOW)
    at = START
    for _ in range(count):
        at += timedelta(seconds=chance.randrange(-3_600, 48 * 3_600))
        batch = [book.transfer(book.wallet, chance.choice([book.alice, book.bob]), chance.randrange(1, 10**20))]
        if chance.random() < 0.5:
            batch.append(book.transfer(tether, own, chance.randrange(1, 10**9)))
        transfers.post(transfers=batch, now=at)
        balance, _ = book.row(book.alice)
        if balance >= 4 and chance.random() < 0.7:
            fee = balance // 4
            entries = (Entry(book.alice, -2 * fee), Entry(book.bob, fee), Entry(book.fees, fee))
            transfers.post(transfers=[Transfer(UUID(int=chance.getrandbits(128)), "payment", entries)], now=at)


def test_days_equal_the_ledger_replayed_whatever_the_steps(book: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    trade_about(book, seed=1, count=25)
    monkeypatch.setattr(days, "BATCHES_A_STEP", 3)  # several steps, over several chains
    assert days.gather() > 0
    assert kept() == replayed()
    trade_about(book, seed=2, count=25)  # days that are there already gain more
    days.gather()
    assert kept() == replayed()
    assert len(kept()) > 20
    assert days.gather() == 0  # nothing is counted twice
    assert kept() == replayed()


def test_balances_by_day_end_at_the_balance(book: Any) -> None:
    trade_about(book, seed=3, count=20)
    days.gather()
    for since in (START.date(), START.date() + timedelta(days=9)):
        sums: dict[int, int] = defaultdict(int)
        for change in reading.changes(owner_id=ALICE, since=since):
            assert change.day >= since - timedelta(days=1)
            sums[change.asset_id] += change.amount
        assert sums[BTC] == book.row(book.alice)[0] > 0
        assert sums[USDT] > 0
    assert reading.first_day(owner_id=ALICE) == min(day for account, day in replayed() if account == book.alice)
    assert reading.first_day(owner_id=4_711) is None


@pytest.mark.parametrize(("first", "last"), [(3, 12), (0, 0), (5, 5), (0, 60), (70, 80)])
def test_bounds_hold_every_entry_of_their_days(book: Any, first: int, last: int) -> None:
    trade_about(book, seed=4, count=20)
    days.gather()
    book.deposit(book.bob, 5)  # of NOW's day, and not gathered yet
    since, until = START.date() + timedelta(days=first), START.date() + timedelta(days=last)
    found = reading.bounds(owner_id=BOB, since=since, until=until)[BTC]
    rows = list(EntryRow.objects.filter(account_id=book.bob).select_related("transfer").order_by("id"))
    inside = [row.id for row in rows if since <= row.transfer.posted_at.date() <= until]
    held = [each.id for each in entries.all_postings(between={book.bob: found.pair}, at_once=3)]
    assert set(inside) <= set(held) and held == sorted(held)
    assert found.entries == len([each for each in inside if each != rows[-1].id])
    assert len(held) <= len(inside) + 12  # moments ran backwards a little, so a few neighbours come along
    newest = entries.postings(between={book.bob: found.pair}, limit=4)
    assert [each.id for each in newest] == held[-4:][::-1]


def test_wrong_days_are_mended_from_the_entries(book: Any, caplog: Any) -> None:
    trade_about(book, seed=5, count=15)
    days.gather()
    right = kept()
    assert days.mend(account_ids=[book.alice, book.bob], now=NOW) == 0
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ledger_day SET credits = credits + 5 WHERE account_id = %s", (book.alice,))
        wrong = cursor.rowcount
        cursor.execute("DELETE FROM ledger_day WHERE account_id = %s", (book.bob,))
        wrong += cursor.rowcount
        cursor.execute("INSERT INTO ledger_day VALUES (%s, '2020-01-01', 1, 1, 0, 1, 1)", (book.bob,))
    assert days.mend_some(now=NOW) == wrong + 1
    assert kept() == right == replayed()


def test_the_round_goes_on_where_it_stopped_and_begins_again(book: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    trade_about(book, seed=6, count=6)
    days.gather()
    monkeypatch.setattr(days, "ACCOUNTS_A_ROUND", 1)
    monkeypatch.setattr(days, "ENTRIES_A_RUN", 1)  # one account a run
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM ledger_day WHERE account_id = %s", (book.bob,))
    assert days.mend_some(now=NOW) == 0  # Alice's come first
    assert days.mend_some(now=NOW) > 0
    assert kept() == replayed()
    for _ in range(4):  # past the last account, and round again
        days.mend_some(now=NOW)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM ledger_day")
    for _ in range(6):
        days.mend_some(now=NOW)
    assert kept() == replayed()


def test_the_command_mends_one_customer(book: Any, capsys: Any) -> None:
    trade_about(book, seed=7, count=5)
    days.gather()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM ledger_day WHERE account_id = %s", (book.alice,))
    call_command("ledger", "days", "--owner", str(ALICE))
    assert "2 accounts worked out anew" in capsys.readouterr().out
    assert kept() == replayed()


def test_what_mending_does_not_know_yet_is_left_to_gathering(book: Any) -> None:
    """Entries posted after the last gathering are not mistaken for missing ones."""
    trade_about(book, seed=8, count=5)
    days.gather()
    before = kept()
    book.deposit(book.alice, 77)
    assert days.mend(account_ids=[book.alice], now=NOW) == 0
    assert kept() == before
    days.gather()
    assert kept() == replayed() != before
