"""The look every ten minutes: what it writes down, when it stops withdrawals, and when it says that it cannot tell."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg2
import pytest
from django.db import Error, connection

from exchange.accounts.services import customers
from exchange.compliance.models import SolvencyAsset, SolvencyLook
from exchange.compliance.services import solvency
from exchange.ledger import reconciliation
from exchange.ledger import selectors as ledger
from exchange.ledger.journal import Entry, Kind, Transfer
from exchange.ledger.reconciliation import Outside
from exchange.ledger.services import accounts, stops, transfers
from exchange.outbox.models import Event

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
TEN_MINUTES = timedelta(minutes=10)
BTC = 1


class World:
    """What stands outside: coins by purpose, or a source that does not answer."""

    def __init__(self):
        self.parts = {"hot": 100, "cold": 350, "deposit": 50}
        self.down = False
        self.while_asked = lambda: None

    def __call__(self, now):
        if self.down:
            raise OSError("no route to host")
        shown = Outside(account_id=wallet(), amount_seen=sum(self.parts.values()), as_of=now, parts=dict(self.parts))
        self.while_asked()
        return [shown]


def wallet(label="bitcoin"):
    return accounts.open(kind=Kind.CHAIN_WALLET, asset_id=BTC, label=label, now=NOW)


def deposit(user_id, amount, *, label="bitcoin"):
    entries = (Entry(wallet(label), -amount), Entry(ledger.account_ids(owner_id=user_id)[BTC], amount))
    transfers.post(transfers=[Transfer(uuid4(), "deposit", entries)], now=NOW)


@pytest.fixture
def world(monkeypatch):
    world = World()
    monkeypatch.setattr(reconciliation, "_outside_sources", {"bitcoin": world})
    return world


@pytest.fixture
def alice(db):
    user_id = customers.open(email="alice@example.org", password="x" * 12, now=NOW)
    deposit(user_id, 500)
    return user_id


def look(at=NOW):
    solvency.check(now=at)
    return SolvencyLook.objects.latest("id"), SolvencyAsset.objects.filter(asset_id=BTC).latest("id")


def topics():
    return [event.topic for event in Event.objects.filter(topic__startswith="compliance.").order_by("id")]


def stopped():
    return ledger.stops.is_stopped("withdrawals")


def test_every_look_is_written_down_with_where_the_coins_are(world, alice):
    whole, btc = look()
    assert (whole.verdict, whole.unreachable, btc.verdict) == ("covered", [], "covered")
    assert (btc.owed, btc.seen, btc.hot, btc.cold, btc.deposit, btc.other, btc.pending, btc.unseen) == (
        500, 500, 100, 350, 50, 0, 0, 0,
    )  # fmt: skip
    look(NOW + TEN_MINUTES)
    assert SolvencyLook.objects.count() == 2 and topics() == [] and not stopped()


def test_coins_moved_by_another_hand_stop_withdrawals_and_are_told_once(world, alice):
    world.parts["cold"] -= 1
    whole, btc = look()
    assert (whole.verdict, btc.verdict, btc.alarm) == ("short", "short", "short")
    assert stopped() and topics() == ["compliance.solvency_short"]
    look(NOW + TEN_MINUTES)
    assert topics() == ["compliance.solvency_short"]
    # Lifted without anything mended: the next look stops again, and says so again.
    stop_id = next(stop.id for stop in ledger.stops.active() if stop.source == "solvency:BTC")
    stops.lift(stop_id=stop_id, reason="somebody was in a hurry", actor=None, now=NOW)
    look(NOW + 2 * TEN_MINUTES)
    assert stopped() and topics() == ["compliance.solvency_short"] * 2


def test_what_cannot_be_seen_is_unknown_at_once_and_told_after_an_hour(world, alice):
    world.down = True
    whole, btc = look()
    assert (whole.verdict, whole.unreachable) == ("unknown", ["bitcoin"])
    assert (btc.verdict, btc.seen, btc.unseen, btc.alarm) == ("unknown", 0, 500, "")
    for number in range(1, 13):
        look(NOW + number * TEN_MINUTES)
        # The hour is over with the look after it, and is told once.
        assert topics() == (["compliance.solvency_unknown"] if number > 6 else []), number
    assert not stopped()
    world.down = False
    assert look(NOW + 13 * TEN_MINUTES)[1].verdict == "covered"
    world.down = True
    for number in range(14, 22):
        look(NOW + number * TEN_MINUTES)
    assert topics() == ["compliance.solvency_unknown"] * 2


def test_a_hole_that_the_unseen_part_cannot_fill_is_a_hole(world, alice):
    deposit(alice, 50, label="another chain")  # of which no source tells
    assert look()[1].verdict == "unknown" and not stopped()
    world.parts["hot"] -= 1
    _, btc = look(NOW + TEN_MINUTES)
    assert (btc.verdict, btc.seen, btc.unseen, btc.owed) == ("short", 499, 50, 550) and stopped()


def test_a_deposit_between_the_looks_is_no_hole(world, alice):
    def arrives():
        """Booked after the node was asked, each time it is; the next asking finds the coins."""
        deposit(alice, 10)
        world.parts["deposit"] += 10

    world.while_asked = arrives
    assert look()[0].verdict == "covered" and topics() == [] and not stopped()


def test_a_hole_that_the_second_look_does_not_find_is_no_hole(world, alice):
    world.parts["hot"] = 0
    world.while_asked = lambda: world.parts.update(hot=100)
    assert look()[0].verdict == "covered" and not stopped()


@pytest.mark.parametrize("statement", ["UPDATE {} SET verdict = 'covered'", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
@pytest.mark.parametrize("table", ["compliance_solvency_look", "compliance_solvency_asset"])
def test_nobody_changes_what_was_written_down(world, alice, statement, table):
    look()
    with pytest.raises(Error), connection.cursor() as cursor:
        cursor.execute(statement.format(table))


@pytest.mark.django_db(transaction=True)
def test_not_even_the_owner_changes_it_in_passing(world, alice, owner_connection):
    look()
    with pytest.raises(psycopg2.Error, match="append-only"), owner_connection.cursor() as cursor:
        cursor.execute("UPDATE compliance_solvency_look SET verdict = 'covered'")


@pytest.mark.django_db(transaction=True)
def test_a_balance_forged_by_the_owner_of_the_database_is_a_hole(world, alice, owner_connection):
    assert look()[0].verdict == "covered"
    with owner_connection.cursor() as cursor:
        account_id = ledger.account_ids(owner_id=alice)[BTC]
        cursor.execute("UPDATE ledger_account SET balance = balance + 1000 WHERE id = %s", [account_id])
    owner_connection.commit()
    assert look(NOW + TEN_MINUTES)[1].verdict == "short" and stopped()
