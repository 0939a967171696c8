"""Levels and limits: what may move in a day and in 30 days, counted in dollars, under concurrency, and never by guesswork."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from exchange.accounts.services import staff
from exchange.assets.models import Rate
from exchange.audit.models import Record
from exchange.notifications.models import Notification
from kyc import kinds, selectors, uses
from kyc.kinds import DAY_S, DEPOSIT, MONTH_S, TRADING, WITHDRAWAL
from kyc.models import Customer, Limit
from kyc.services import levels, limits
from tests.factors import log_in_staff
from tests.second_person import approve, second_person

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
BTC, ETH, USDT = 1, 3, 4
ALICE = 7
COIN = 10**8

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def first_level(settings):
    settings.KYC_FIRST_LEVEL = 1


@pytest.fixture
def rates():
    for asset_id, price in ((BTC, "50000"), (USDT, "1")):
        Rate.objects.create(asset_id=asset_id, price=Decimal(price), as_of=NOW, fetched_at=NOW, source="test")


@pytest.fixture
def used(monkeypatch):
    """What the rooms above say was used: by window, of every kind."""
    told = {DAY_S: 0, MONTH_S: 0}

    def count(*, user_id, since, now):
        return [told[int((now - moment).total_seconds())] for moment in since]

    for kind in kinds.KINDS:
        monkeypatch.setitem(uses._counts, kind, count)
    return told


def check(amount, asset_id=BTC, user_id=ALICE, now=NOW):
    return limits.check_withdrawal(user_id=user_id, asset_id=asset_id, amount=amount, now=now)


def left(kind, seconds):
    return next(a for a in selectors.allowances(ALICE, now=NOW) if (a.kind, a.seconds) == (kind, seconds))


def test_everybody_starts_at_the_first_level():
    assert selectors.level(ALICE).code == "email"
    assert [level.number for level in selectors.levels()] == [1, 2, 3, 4]
    assert set(selectors.levels()[-1].limits.values()) == {None}
    for level in selectors.levels()[:3]:
        assert all(limit is not None for limit in level.limits.values())
        assert all(level.limits[kind, DAY_S] <= level.limits[kind, MONTH_S] for kind in kinds.KINDS)
    for lower, higher in zip(selectors.levels(), selectors.levels()[1:3], strict=False):
        assert all(lower.limits[key] < higher.limits[key] for key in lower.limits)


def test_the_limit_itself_may_leave_and_not_a_cent_more(rates):
    assert check(COIN // 2) == 25_000_00  # the limit of the first level
    with pytest.raises(limits.LimitExceeded) as error:
        check(COIN // 2 + 20)  # a cent more
    assert (error.value.code, error.value.param) == ("limit_exceeded", "amount")
    assert "25000 of 25000 USD in 24 hours" in error.value.message


def test_both_windows_count(rates, used):
    used.update({DAY_S: 20_000_00, MONTH_S: 96_000_00})
    check(COIN * 4_000 // 50_000)
    with pytest.raises(limits.LimitExceeded, match="4000 of 100000 USD in 30 days"):
        check(COIN * 4_001 // 50_000)
    used.update({DAY_S: 24_000_00, MONTH_S: 24_000_00})
    with pytest.raises(limits.LimitExceeded, match="1000 of 25000 USD in 24 hours"):
        check(COIN * 1_001 // 50_000)


def test_the_smallest_amount_counts_as_a_cent(rates):
    assert check(1) == 1


def test_a_price_that_is_missing_or_a_day_old_lets_nothing_through(rates):
    with pytest.raises(selectors.WorthUnknown):
        check(1, asset_id=ETH)
    check(1, now=NOW + timedelta(hours=24))
    with pytest.raises(selectors.WorthUnknown) as error:
        check(1, now=NOW + timedelta(hours=24, seconds=1))
    assert (error.value.status, error.value.code) == (503, "worth_unknown")


def test_a_higher_level_lets_more_through_and_the_highest_asks_no_price(rates, used):
    levels.assign(user_id=ALICE, level=2, reason="Passport seen", actor_id=1, now=NOW)
    check(2 * COIN)
    with pytest.raises(limits.LimitExceeded):
        check(3 * COIN)
    levels.assign(user_id=ALICE, level=4, reason="Visited", actor_id=1, now=NOW)
    assert check(10**6, asset_id=ETH) is None
    assert check(COIN) == 50_000_00  # kept, should he be limited tomorrow
    assert left(WITHDRAWAL, DAY_S).left is None


def test_a_change_of_level_is_audited_with_its_reason():
    levels.assign(user_id=ALICE, level=3, reason="Letter seen", actor_id=1, origin="ip=x", now=NOW)
    record = Record.objects.get(action="kyc.assign_level")
    assert (record.actor_id, record.subject, record.origin) == (1, f"user:{ALICE}", "ip=x")
    assert (record.before, record.after) == ({"level": 1}, {"level": 3, "reason": "Letter seen"})


def test_a_level_that_is_not_there_is_refused():
    with pytest.raises(levels.LevelNotFound):
        levels.assign(user_id=ALICE, level=9, reason="x", actor_id=1, now=NOW)


def test_what_is_left_is_never_below_nothing_however_far_a_limit_is_lowered(rates, used):
    used.update({DAY_S: 20_000_00, MONTH_S: 20_000_00})
    levels.set_limits(level=1, amounts={(WITHDRAWAL, DAY_S): 5_00}, reason="Caution", actor_id=1, now=NOW)
    allowance = left(WITHDRAWAL, DAY_S)
    assert (allowance.limit, allowance.used, allowance.left) == (5_00, 20_000_00, 0)
    with pytest.raises(limits.LimitExceeded, match="0 of 5 USD"):
        check(1)


def test_limits_are_set_by_name_and_reason_and_stand_in_the_audit(used):
    amounts = {(DEPOSIT, DAY_S): 7_00, (TRADING, MONTH_S): None}
    view = levels.set_limits(level=1, amounts=amounts, reason="New rules", actor_id=3, origin="ip=x", now=NOW)
    assert (view.limits[DEPOSIT, DAY_S], view.limits[TRADING, MONTH_S]) == (7_00, None)
    record = Record.objects.get(action="kyc.set_limits")
    assert (record.actor_id, record.subject, record.origin) == (3, "level:1", "ip=x")
    assert record.before == {"deposit_1d": "10000000", "trading_30d": "50000000"}
    assert record.after == {"deposit_1d": "700", "trading_30d": None, "reason": "New rules"}
    levels.set_limits(level=1, amounts=amounts, reason="Again", actor_id=3, now=NOW)
    assert Record.objects.filter(action="kyc.set_limits").count() == 1  # nothing changed


@pytest.mark.parametrize(
    ("amounts", "reason", "error"),
    [
        ({(DEPOSIT, DAY_S): 1}, "  ", levels.ReasonMissing),
        ({(DEPOSIT, DAY_S): -1}, "x", levels.LimitInvalid),
        ({(DEPOSIT, DAY_S): 300_000_01}, "x", levels.LimitInvalid),
        ({("bets", DAY_S): 1}, "x", levels.LimitInvalid),
        ({(DEPOSIT, 7): 1}, "x", levels.LimitInvalid),
    ],
)
def test_what_cannot_be_a_limit_is_refused(amounts, reason, error):
    with pytest.raises(error):
        levels.set_limits(level=1, amounts=amounts, reason=reason, actor_id=1, now=NOW)
    assert not Record.objects.exists()


def test_a_kind_that_nobody_counts_is_no_room(rates, monkeypatch):
    monkeypatch.delitem(uses._counts, WITHDRAWAL)
    with pytest.raises(LookupError):
        check(1)


def test_another_reference_currency_is_what_limits_are_counted_in(rates, settings):
    settings.REFERENCE_CURRENCY = "USDT"
    levels.set_limits(level=1, amounts={(WITHDRAWAL, DAY_S): 10 * 10**6}, reason="x", actor_id=1, now=NOW)
    assert check(COIN // 5_000) == 10 * 10**6
    with pytest.raises(limits.LimitExceeded, match="10 of 10 USDT"):
        check(COIN // 5_000 + 1)


@pytest.mark.django_db(transaction=True)
def test_two_requests_at_once_do_not_use_the_same_room_twice(rates, used, settings, monkeypatch):
    """Each thread locks, counts what is written, asks and writes, as wallets does: a third of the limit fits three times."""
    start, outcomes = Barrier(8), []
    third = COIN // 6 - 100

    def count(*, user_id, since, now):
        return [Notification.objects.filter(user_id=user_id).count() * selectors.worth({BTC: third}, now=now)] * 2

    monkeypatch.setitem(uses._counts, WITHDRAWAL, count)

    def withdraw():
        start.wait()
        try:
            with transaction.atomic():
                limits.lock(ALICE)
                check(third)
                number = Notification.objects.filter(user_id=ALICE).count()
                Notification.objects.create(user_id=ALICE, event_id=number, kind="out", title="out", created_at=NOW)
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
    log_in_staff(office, boss)
    given = office.post(reverse("admin:kyc_customer_add"), {"user_id": ALICE, "level": 2, "reason": "Passport seen"})
    assert given.headers.get("Location") == reverse("admin:kyc_customer_changelist"), given.content
    assert selectors.level(ALICE).number == 2
    office.post(reverse("admin:kyc_customer_change", args=[ALICE]), {"level": 3, "reason": "Letter seen"})
    assert selectors.level(ALICE).number == 3
    befores = list(Record.objects.filter(action="kyc.assign_level").order_by("id").values_list("before", "after"))
    assert befores == [
        ({"level": 1}, {"level": 2, "reason": "Passport seen"}),
        ({"level": 2}, {"level": 3, "reason": "Letter seen"}),
    ]
    page = reverse("admin:kyc_level_change", args=[1])
    shown = office.get(page)
    assert shown.status_code == 200
    fields = {name: field.initial or "" for name, field in shown.context["adminform"].form.fields.items()}
    assert fields["withdrawal_86400"] == "25000"
    refused = office.post(page, {**fields, "withdrawal_86400": "1.005", "reason": "x"})
    assert b"withdrawal_86400" in refused.content and refused.status_code == 200
    assert office.post(page, {**fields, "withdrawal_86400": "1"}).status_code == 200  # no reason given
    assert Limit.objects.get(level=1, kind=WITHDRAWAL, seconds=DAY_S).amount == 25_000_00
    done = office.post(page, {**fields, "withdrawal_86400": "1", "trading_2592000": "", "reason": "Less for now"})
    assert done.status_code == 302
    assert Limit.objects.get(level=1, kind=WITHDRAWAL, seconds=DAY_S).amount == 25_000_00, "somebody else approves it"
    approve()
    assert Limit.objects.get(level=1, kind=WITHDRAWAL, seconds=DAY_S).amount == 1_00
    assert Limit.objects.get(level=1, kind=TRADING, seconds=MONTH_S).amount is None
    record = Record.objects.get(action="kyc.set_limits")
    assert (record.actor_id, record.after["reason"]) == (second_person(), "Less for now")
    assert record.before == {"withdrawal_1d": "2500000", "trading_30d": "50000000"}
