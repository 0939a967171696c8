"""Limits on bank money: told before it is sent, refused before it is credited, and credited once there is room."""

from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection

from exchange.accounts.services import customers
from exchange.fiat.models import BankDeposit
from exchange.fiat.services import deposits
from exchange.ledger import selectors as ledger
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


def used(user_id, now=NOW):
    found = kyc.allowances(user_id, now=now)
    return next(each.used for each in found if (each.kind, each.seconds) == (FIAT_IN, DAY_S))


def test_what_would_not_be_credited_today_need_not_be_sent(alice):
    with pytest.raises(limits.LimitExceeded, match="1000 of 1000 USD in 24 hours"):
        deposits.announce(user_id=alice, amount="1000.01", now=NOW)
    deposits.announce(user_id=alice, amount="1000", now=NOW)


def test_what_passes_the_limit_is_not_credited_until_there_is_room(alice):
    first, second = (deposits.announce(user_id=alice, amount="700", now=NOW) for _ in range(2))
    settle(first, "700", "TX-1")
    with pytest.raises(limits.LimitExceeded, match="300 of 1000 USD"):
        settle(second, "700", "TX-2")
    assert (usd(alice), used(alice), BankDeposit.objects.get(id=second.id).state) == (700_00, 700_00, "announced")
    later = NOW + timedelta(hours=25)
    settle(second, "700", "TX-2", now=later)
    assert (usd(alice), used(alice, later), BankDeposit.objects.get(id=second.id).worth) == (1_400_00, 700_00, 700_00)


def test_two_clerks_at_once_do_not_use_the_same_room(alice):
    announced = [deposits.announce(user_id=alice, amount="400", now=NOW) for _ in range(5)]
    start, done = Barrier(5), []

    def match(deposit):
        start.wait()
        try:
            settle(deposit, "400", f"TX-{deposit.id}")
            done.append("credited")
        except limits.LimitExceeded:
            done.append("refused")
        finally:
            connection.close()

    threads = [Thread(target=match, args=(each,)) for each in announced]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(done) == ["credited"] * 2 + ["refused"] * 3
    assert usd(alice) == used(alice) == 800_00


def test_money_out_asks_the_same_way(alice):
    assert limits.check_fiat("out", user_id=alice, asset_id=USD, amount=1_000_00, now=NOW) == 1_000_00
    with pytest.raises(limits.LimitExceeded, match="Bank withdrawals"):
        limits.check_fiat("out", user_id=alice, asset_id=USD, amount=1_000_01, now=NOW)
    levels.set_limits(level=1, amounts={(FIAT_OUT, DAY_S): 0}, reason="x", actor_id=1, now=NOW)
    with pytest.raises(limits.LimitExceeded, match="0 of 0 USD"):
        limits.check_fiat("out", user_id=alice, asset_id=USD, amount=1, now=NOW)
