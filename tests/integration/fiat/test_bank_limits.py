"""Limits on bank money: told before it is sent, held where more arrives all the same, and credited once there is room."""

from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection

from exchange.accounts.services import customers
from exchange.audit.models import Record
from exchange.compliance import selectors as compliance
from exchange.fiat.models import BankDeposit
from exchange.fiat.services import booking, deposits, holding, statements
from exchange.ledger import selectors as ledger
from exchange.ledger.services import stops
from exchange.notifications import selectors as notifications
from exchange.outbox import services as outbox
from exchange.site import taking_along
from kyc import selectors as kyc
from kyc.kinds import DAY_S, FIAT_IN, FIAT_OUT
from kyc.services import levels, limits

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
USD, BOSS = 5, 1

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alice():
    """At the first level: $1,000 a day."""
    user_id = customers.open(email="alice@example.org", password="x" * 12, email_verified=True, now=NOW)
    levels.assign(user_id=user_id, level=1, reason="For a test", actor_id=None, now=NOW)
    return user_id


def settle(deposit, amount, reference, now=NOW):
    return deposits.settle(deposit_id=deposit.id, bank_reference=reference, amount=amount, actor_id=BOSS, now=now)


def usd(user_id):
    return next(b.balance for b in ledger.balances(owner_id=user_id) if b.asset_id == USD)


def total(kind):
    return sum(each.balance for each in ledger.totals() if each.asset_id == USD and each.kind == kind)


def used(user_id, now=NOW):
    found = kyc.allowances(user_id, now=now)
    return next(each.used for each in found if (each.kind, each.seconds) == (FIAT_IN, DAY_S))


def test_what_would_not_be_credited_today_need_not_be_sent(alice):
    with pytest.raises(limits.LimitExceeded, match="1000 of 1000 USD in 24 hours"):
        deposits.announce(user_id=alice, amount="1000.01", now=NOW)
    deposits.announce(user_id=alice, amount="1000", now=NOW)


def test_what_passes_the_limit_is_held_and_credited_once_there_is_room(alice):
    first, second = (deposits.announce(user_id=alice, amount="700", now=NOW) for _ in range(2))
    settle(first, "700", "TX-1")
    held = settle(second, "700", "TX-2")
    assert (held.state, held.held_for, held.settled, held.settled_at) == ("held", "limit", 700_00, None)
    assert (usd(alice), used(alice), total("suspense"), total("bank")) == (700_00, 700_00, 700_00, -1_400_00)
    assert compliance._owed()[USD] == 1_400_00
    assert settle(second, "700", "TX-2") == held  # the same again changes nothing
    assert holding.release_due(now=NOW) == 0
    later = NOW + timedelta(hours=25)
    assert [holding.release_due(now=later) for _ in range(2)] == [1, 0]
    assert (usd(alice), used(alice, later), total("suspense"), total("bank")) == (1_400_00, 700_00, 0, -1_400_00)
    row = BankDeposit.objects.get(id=second.id)
    assert (row.state, row.held_for, row.worth, row.settled_at, row.held_at) == ("settled", "", 700_00, later, NOW)
    actions = Record.objects.filter(subject=f"bank_deposit:{second.id}").order_by("id")
    assert [(each.action, each.actor_id) for each in actions] == [
        ("bank_deposit.settle", BOSS),
        ("bank_deposit.release", None),
    ]


def test_more_than_was_announced_is_held_and_goes_at_a_higher_level(alice):
    """The sender decides the amount; what he sends is nowhere but in our books."""
    announced = deposits.announce(user_id=alice, amount="900", now=NOW)
    assert settle(announced, "5000", "TX-1").state == "held"
    with pytest.raises(deposits.DepositClosed):
        deposits.cancel(user_id=alice, deposit_id=announced.id, now=NOW)
    with pytest.raises(deposits.BankReferenceUsed):
        settle(deposits.announce(user_id=alice, amount="900", now=NOW), "900", "TX-1")
    assert "arrived" in (taking_along._bank_transfers(alice, NOW) or "")
    outbox.deliver(now=NOW)
    told = notifications.recent(alice)[0]
    assert told.title == "Bank transfer of 5000 USD arrived, not credited yet" and "limit" in told.body
    levels.assign(user_id=alice, level=4, reason="Visited", actor_id=None, now=NOW)
    assert holding.release_due(now=NOW) == 1
    assert (usd(alice), total("suspense")) == (5_000_00, 0)


def test_what_is_held_is_at_the_bank_since_it_came(alice):
    statements.record(balance="0", as_of=NOW - timedelta(hours=1), actor_id=BOSS, now=NOW)
    settle(deposits.announce(user_id=alice, amount="900", now=NOW), "5000", "TX-1")
    (seen,) = statements.outside(NOW)
    assert seen.pending == 5_000_00
    statements.record(balance="5000", as_of=NOW + timedelta(hours=1), actor_id=BOSS, now=NOW + timedelta(hours=2))
    levels.assign(user_id=alice, level=4, reason="Visited", actor_id=None, now=NOW)
    assert holding.release_due(now=NOW + timedelta(hours=3)) == 1
    (seen,) = statements.outside(NOW + timedelta(hours=3))
    assert (seen.amount_seen, seen.pending) == (5_000_00, 0)


@pytest.mark.parametrize("first", ["2000", "fails"])
def test_one_that_cannot_go_or_fails_holds_up_none_behind_it(alice, monkeypatch, first):
    stuck, good = (deposits.announce(user_id=alice, amount="10", now=NOW) for _ in range(2))
    settle(stuck, "2000", "TX-1")
    settle(deposits.announce(user_id=alice, amount="800", now=NOW), "800", "TX-3")
    settle(good, "500", "TX-2")
    if first == "fails":
        levels.assign(user_id=alice, level=4, reason="Visited", actor_id=None, now=NOW)
        real = booking.release

        def release(row, *, now):
            if row.id == stuck.id:
                raise LookupError("a defect")
            real(row, now=now)

        monkeypatch.setattr(booking, "release", release)
    monkeypatch.setattr(holding, "AT_ONCE", 1)
    later = NOW + timedelta(hours=25)
    assert [holding.release_due(now=later + timedelta(seconds=30 * n)) for n in range(2)] == [0, 1]
    assert [BankDeposit.objects.get(id=each.id).state for each in (stuck, good)] == ["held", "settled"]


def test_nothing_is_let_go_while_deposits_are_stopped(alice):
    settle(deposits.announce(user_id=alice, amount="900", now=NOW), "5000", "TX-1")
    levels.assign(user_id=alice, level=4, reason="Visited", actor_id=None, now=NOW)
    stops.stop(scope="deposits", reason="For a test", actor=None, now=NOW)
    assert holding.release_due(now=NOW) == 0


def test_two_clerks_at_once_do_not_use_the_same_room(alice):
    announced = [deposits.announce(user_id=alice, amount="400", now=NOW) for _ in range(5)]
    start, done = Barrier(5), []

    def match(deposit):
        start.wait()
        try:
            done.append(settle(deposit, "400", f"TX-{deposit.id}").state)
        finally:
            connection.close()

    threads = [Thread(target=match, args=(each,)) for each in announced]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(done) == ["held"] * 3 + ["settled"] * 2
    assert usd(alice) == used(alice) == 800_00
    assert total("suspense") == 1_200_00


def test_money_out_asks_the_same_way(alice):
    assert limits.check_fiat("out", user_id=alice, asset_id=USD, amount=1_000_00, now=NOW) == 1_000_00
    with pytest.raises(limits.LimitExceeded, match="Bank withdrawals"):
        limits.check_fiat("out", user_id=alice, asset_id=USD, amount=1_000_01, now=NOW)
    levels.set_limits(level=1, amounts={(FIAT_OUT, DAY_S): 0}, reason="x", actor_id=1, now=NOW)
    with pytest.raises(limits.LimitExceeded, match="0 of 0 USD"):
        limits.check_fiat("out", user_id=alice, asset_id=USD, amount=1, now=NOW)
