"""The solvency report: enough, short, or not to be told, and never a yes that nobody looked at."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.core.management import call_command

from exchange.accounts.services import customers
from exchange.compliance import selectors
from exchange.ledger import reconciliation
from exchange.ledger import selectors as ledger
from exchange.ledger.journal import Entry, Kind, Transfer
from exchange.ledger.reconciliation import Outside
from exchange.ledger.services import accounts, reversals, transfers

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
BTC, ETH = 1, 3

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(monkeypatch):
    """What stands outside, by account: a place where a test puts coins and takes them away."""
    coins = {}
    monkeypatch.setattr(
        reconciliation,
        "_outside_sources",
        {"world": lambda now: [Outside(account_id=a, amount_seen=n, as_of=now) for a, n in coins.items()]},
    )
    return coins


@pytest.fixture
def alice():
    return customers.open(email="alice@example.org", password="x" * 12, now=NOW)


def wallet(asset_id=BTC, label="bitcoin"):
    return accounts.open(kind=Kind.CHAIN_WALLET, asset_id=asset_id, label=label, now=NOW)


def deposit(user_id, amount, asset_id=BTC, label="bitcoin"):
    entries = (Entry(wallet(asset_id, label), -amount), Entry(ledger.account_ids(owner_id=user_id)[asset_id], amount))
    transfers.post(transfers=[Transfer(uuid4(), "deposit", entries)], now=NOW)


def report():
    found = selectors.solvency(now=NOW)
    return found, {asset.code: asset for asset in found.assets}


def test_what_is_seen_covers_what_is_owed(world, alice):
    deposit(alice, 500)
    world[wallet()] = 500
    found, by_code = report()
    assert found.solvent is True
    btc = by_code["BTC"]
    assert (btc.owed, btc.seen, btc.booked, btc.unseen, btc.covered, btc.as_of) == (500, 500, 500, 0, True, NOW)


def test_one_satoshi_short_is_short(world, alice):
    deposit(alice, 500)
    deposit(alice, 7, ETH, "ethereum")
    world[wallet()] = 499
    world[wallet(ETH, "ethereum")] = 1000
    found, by_code = report()
    assert found.solvent is False
    assert by_code["BTC"].covered is False and by_code["ETH"].covered is True


def test_what_nobody_could_look_at_is_no_yes(world, alice):
    deposit(alice, 500)
    found, by_code = report()
    assert found.solvent is None
    assert by_code["BTC"].covered is None and by_code["BTC"].unseen == 500


def test_a_part_that_is_enough_by_itself_needs_no_second_look(world, alice):
    deposit(alice, 500)
    world[wallet()] = 500
    house = accounts.open(kind=Kind.HOUSE_CAPITAL, asset_id=BTC, now=NOW)
    transfers.post(
        transfers=[Transfer(uuid4(), "deposit", (Entry(wallet(label="cold"), -90), Entry(house, 90)))], now=NOW
    )
    found, by_code = report()
    assert (by_code["BTC"].unseen, by_code["BTC"].own, found.solvent) == (90, 90, True)


def test_a_source_that_is_down_is_named(alice, monkeypatch):
    deposit(alice, 500)

    def down(now):
        raise OSError("no route")

    monkeypatch.setattr(reconciliation, "_outside_sources", {"bitcoin": down})
    found, _ = report()
    assert (found.solvent, found.unreachable) == (None, ("bitcoin",))


def test_one_customer_s_debt_pays_no_other(world, alice):
    bob = customers.open(email="bob@example.org", password="x" * 12, now=NOW)
    deposit(alice, 300)
    deposit(bob, 200)
    reversals.take_back(
        id=uuid4(),
        owner_id=alice,
        asset_id=BTC,
        amount=400,
        against_account_id=wallet(),
        kind="reversal",
        reference="reorg",
        now=NOW,
    )
    world[wallet()] = 100
    found, by_code = report()
    assert (by_code["BTC"].owed, by_code["BTC"].debts_to_us, by_code["BTC"].seen) == (200, 100, 100)
    assert found.solvent is False


def test_an_empty_house_is_solvent(world):
    assert report()[0].solvent is True and report()[0].assets == ()


@pytest.mark.parametrize(
    ("seen", "code", "word"), [(500, None, "Solvent."), (400, 1, "SHORT"), (None, 2, "not fully seen")]
)
def test_the_command_says_so_and_ends_accordingly(world, alice, capsys, seen, code, word):
    deposit(alice, 500)
    if seen is not None:
        world[wallet()] = seen
    if code is None:
        call_command("solvency")
    else:
        with pytest.raises(SystemExit) as end:
            call_command("solvency")
        assert end.value.code == code
    assert word in capsys.readouterr().out
