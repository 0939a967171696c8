"""Levels and limits: what may leave in 24 hours, counted in dollars, under concurrency, and never by guesswork."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from exchange.accounts.models import User
from exchange.accounts.services import staff
from exchange.assets.models import Rate
from exchange.audit.models import Record
from exchange.notifications.models import Notification
from kyc import selectors
from kyc.models import Customer, Level
from kyc.services import levels, limits

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
BTC, ETH, USDT = 1, 3, 4
ALICE = 7
COIN = 10**8

pytestmark = pytest.mark.django_db


@pytest.fixture
def rates():
    for asset_id, price in ((BTC, "50000"), (USDT, "1")):
        Rate.objects.create(asset_id=asset_id, price=Decimal(price), as_of=NOW, fetched_at=NOW, source="test")


def check(amount, asset_id=BTC, already=None, user_id=ALICE, now=NOW):
    limits.check_withdrawal(user_id=user_id, asset_id=asset_id, amount=amount, already=already or {}, now=now)


def test_everybody_starts_at_the_first_level():
    assert selectors.level(ALICE).code == "email"
    assert [level.number for level in selectors.levels()] == [1, 2, 3, 4]
    assert selectors.levels()[-1].withdrawal_24h is None


def test_the_limit_itself_may_leave_and_not_a_cent_more(rates):
    check(COIN // 2)  # 25,000 dollars, the limit of the first level
    with pytest.raises(limits.LimitExceeded) as error:
        check(COIN // 2 + 20)  # a cent more
    assert (error.value.code, error.value.param) == ("limit_exceeded", "amount")
    assert "25000 USD" in error.value.message


def test_what_left_before_counts_across_assets(rates):
    already = {USDT: 20_000 * 10**6, BTC: COIN // 100}
    check(9 * COIN // 100, already=already)
    with pytest.raises(limits.LimitExceeded, match="4500 USD"):
        check(10 * COIN // 100, already=already)
    allowance = selectors.withdrawal_allowance(user_id=ALICE, already=already, now=NOW)
    assert (allowance.limit, allowance.used, allowance.left) == (25_000_00, 20_500_00, 4_500_00)


def test_a_price_that_is_missing_or_a_day_old_lets_nothing_through(rates):
    with pytest.raises(selectors.WorthUnknown):
        check(1, asset_id=ETH)
    with pytest.raises(selectors.WorthUnknown):
        check(1, already={ETH: 1})
    check(1, already={ETH: 0})
    check(1, now=NOW + timedelta(hours=24))
    with pytest.raises(selectors.WorthUnknown) as error:
        check(1, now=NOW + timedelta(hours=24, seconds=1))
    assert (error.value.status, error.value.code) == (503, "worth_unknown")


def test_a_higher_level_lets_more_through_and_the_highest_asks_no_price(rates):
    levels.assign(user_id=ALICE, level=2, reason="Passport seen", actor_id=1, now=NOW)
    check(2 * COIN)
    with pytest.raises(limits.LimitExceeded):
        check(3 * COIN)
    levels.assign(user_id=ALICE, level=4, reason="Visited", actor_id=1, now=NOW)
    check(10**6, asset_id=ETH)
    assert selectors.withdrawal_allowance(user_id=ALICE, already={}, now=NOW).left is None


def test_a_change_of_level_is_audited_with_its_reason():
    levels.assign(user_id=ALICE, level=3, reason="Letter seen", actor_id=1, origin="ip=x", now=NOW)
    record = Record.objects.get(action="kyc.assign_level")
    assert (record.actor_id, record.subject, record.origin) == (1, f"user:{ALICE}", "ip=x")
    assert (record.before, record.after) == ({"level": 1}, {"level": 3, "reason": "Letter seen"})


def test_a_level_that_is_not_there_is_refused():
    with pytest.raises(levels.LevelNotFound):
        levels.assign(user_id=ALICE, level=9, reason="x", actor_id=1, now=NOW)


@pytest.mark.django_db(transaction=True)
def test_two_requests_at_once_do_not_use_the_same_room_twice(rates):
    """Each thread locks, counts what is written, asks and writes, as wallets does: a third of the limit fits three times."""
    start, outcomes = Barrier(8), []
    third = COIN // 6

    def withdraw():
        start.wait()
        try:
            with transaction.atomic():
                limits.lock(ALICE)
                left = Notification.objects.filter(user_id=ALICE).count() * third
                check(third, already={BTC: left})
                Notification.objects.create(user_id=ALICE, event_id=left, kind="out", title="out", created_at=NOW)
            outcomes.append("left")
        except limits.LimitExceeded:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [Thread(target=withdraw) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(outcomes) == ["left"] * 3 + ["refused"] * 5
    assert Customer.objects.count() == 1


def test_staff_set_levels_and_limits_in_the_back_office():
    boss = staff.open(email="boss@example.org", password="x" * 12, superuser=True, now=NOW)
    office = Client()
    office.force_login(User.objects.get(id=boss), backend="django.contrib.auth.backends.ModelBackend")
    office.post(reverse("admin:kyc_customer_add"), {"user_id": ALICE, "level": 2, "reason": "Passport seen"})
    assert selectors.level(ALICE).number == 2
    office.post(reverse("admin:kyc_customer_change", args=[ALICE]), {"level": 3, "reason": "Letter seen"})
    assert selectors.level(ALICE).number == 3
    befores = list(Record.objects.filter(action="kyc.assign_level").order_by("id").values_list("before", "after"))
    assert befores == [
        ({"level": 1}, {"level": 2, "reason": "Passport seen"}),
        ({"level": 2}, {"level": 3, "reason": "Letter seen"}),
    ]
    office.post(reverse("admin:kyc_level_change", args=[1]), {"name": "E-mail", "withdrawal_24h": "100"})
    assert Level.objects.get(number=1).withdrawal_24h == 100
    assert Record.objects.get(action="kyc.change_level").before == {"withdrawal_24h": "2500000"}
