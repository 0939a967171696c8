"""The invoice's state machine: every path by example, and what must always hold by properties."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.invoices.machine import Exception_, Payment, State, Terms, judge

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TERMS = Terms(amount=100, expires_at=NOON + timedelta(minutes=15), monitored_until=NOON + timedelta(hours=24))
EARLY, LATE, TOO_LATE = NOON + timedelta(minutes=1), NOON + timedelta(minutes=20), NOON + timedelta(hours=25)


def paid(amount, *, credited=False, at=EARLY):
    return Payment(amount=amount, seen_at=at, credited=credited)


def state(*payments, now=EARLY, was_settled=False):
    found, exception = judge(TERMS, payments, was_settled=was_settled, now=now)
    return (found.value, exception.value)


@pytest.mark.parametrize(
    ("payments", "now", "expected"),
    [
        ([], EARLY, ("new", "")),
        ([], LATE, ("expired", "")),
        ([paid(99)], EARLY, ("new", "paid_partial")),
        ([paid(99)], LATE, ("expired", "paid_partial")),
        ([paid(99, credited=True)], LATE, ("expired", "paid_partial")),
        ([paid(100)], EARLY, ("processing", "")),
        ([paid(100)], LATE, ("processing", "")),
        ([paid(100)], TOO_LATE, ("invalid", "")),
        ([paid(101)], EARLY, ("processing", "paid_over")),
        ([paid(60), paid(40)], EARLY, ("processing", "")),
        ([paid(60, credited=True), paid(40)], LATE, ("processing", "")),
        ([paid(60, credited=True), paid(40, credited=True)], LATE, ("settled", "")),
        ([paid(100, credited=True)], TOO_LATE, ("settled", "")),
        ([paid(100, credited=True), paid(5)], EARLY, ("settled", "paid_over")),
        ([paid(100, credited=True), paid(5, at=LATE)], LATE, ("settled", "paid_over")),
        ([paid(100, at=LATE)], LATE, ("expired", "paid_late")),
        ([paid(100, at=LATE, credited=True)], TOO_LATE, ("expired", "paid_late")),
        ([paid(60), paid(40, at=LATE)], LATE, ("expired", "paid_late")),
        ([paid(30, at=LATE)], LATE, ("expired", "paid_partial")),
    ],
)
def test_each_way_an_invoice_can_go(payments, now, expected):
    assert state(*payments, now=now) == expected


def test_a_payment_at_the_moment_of_expiry_is_late():
    assert state(paid(100, at=TERMS.expires_at), now=TERMS.expires_at) == ("expired", "paid_late")
    assert state(now=TERMS.expires_at) == ("expired", "")


def test_what_was_settled_and_taken_back_is_invalid_until_it_is_credited_again():
    assert state(paid(100), was_settled=True) == ("invalid", "reorganised")
    assert state(was_settled=True) == ("invalid", "reorganised")
    assert state(paid(100, credited=True), was_settled=True) == ("settled", "")


moments = st.integers(0, 30 * 60).map(lambda minutes: NOON + timedelta(minutes=minutes))
payments = st.lists(st.builds(Payment, amount=st.integers(1, 150), seen_at=moments, credited=st.booleans()), max_size=6)


@given(payments, moments, st.booleans(), st.randoms())
def test_the_order_of_the_news_makes_no_difference(payments, now, was_settled, random):
    shuffled = list(payments)
    random.shuffle(shuffled)
    assert judge(TERMS, payments, was_settled=was_settled, now=now) == judge(
        TERMS, shuffled, was_settled=was_settled, now=now
    )


@given(payments, moments, st.booleans())
def test_settled_is_exactly_enough_final_money_seen_in_time(payments, now, was_settled):
    found, _ = judge(TERMS, payments, was_settled=was_settled, now=now)
    final = sum(p.amount for p in payments if p.credited and p.seen_at < TERMS.expires_at)
    assert (found is State.SETTLED) == (final >= TERMS.amount)


@given(payments, moments)
def test_an_exception_tells_the_truth(payments, now):
    _, exception = judge(TERMS, payments, was_settled=False, now=now)
    total = sum(p.amount for p in payments)
    assert (exception is Exception_.PARTIAL) <= (total > 0)
    assert (exception is Exception_.OVER) <= (total > TERMS.amount)
    assert (exception is Exception_.LATE) <= (total >= TERMS.amount)
    assert exception is not Exception_.REORGANISED
