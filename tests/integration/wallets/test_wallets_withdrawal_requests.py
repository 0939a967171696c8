"""What may be asked, what is refused and how, and who may change a request: money held, nothing sent."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from django.utils import timezone

from exchange.audit.models import Record
from exchange.core.errors import DomainError
from exchange.ledger import selectors as ledger
from exchange.ledger.services import freezes, stops
from wallets import selectors
from wallets.models import Withdrawal
from wallets.services import withdrawals

ALICE, BOB, STAFF = 101, 102, 900
BTC = 1
COIN = 10**8
OUTSIDE = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
LITECOIN = "rltc1qqqqsyqcyq5rqwzqfpg9scrgwpugpzysnrwhxws"
KEYS = itertools.count()

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def rich(house, fund, prices):
    fund(ALICE, BTC, COIN)


def ask(user_id=ALICE, **changes):
    asked = {"asset": "BTC", "network": "bitcoin", "address": OUTSIDE, "amount": "0.1", "idempotency_key": next_key()}
    return withdrawals.request(user_id=user_id, now=timezone.now(), **{**asked, **changes})


def next_key():
    return f"key-{next(KEYS)}"


def held(user_id=ALICE):
    return next(balance.held for balance in ledger.balances(owner_id=user_id) if balance.asset_id == BTC)


def test_a_request_holds_amount_and_fee_and_is_approved(house):
    view = ask()
    assert (view.state, view.amount, view.total) == ("approved", COIN // 10, COIN // 10 + view.fee)
    assert held() == view.total
    assert [step.state for step in view.steps] == ["requested", "approved"]
    assert view.cancellable
    assert selectors.withdrawals(ALICE) == [view]
    assert selectors.withdrawals(BOB) == []


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"asset": "DOGE"}, "asset_not_found", "asset"),
        ({"network": "ethereum"}, "network_not_found", "network"),
        ({"address": "nonsense"}, "address_invalid", "address"),
        ({"address": ""}, "address_invalid", "address"),
        ({"address": OUTSIDE[:-1] + "x"}, "address_invalid", "address"),
        ({"address": "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"}, "address_wrong_network", "address"),
        ({"address": LITECOIN}, "address_wrong_network", "address"),
        ({"amount": "-1"}, "amount_invalid", "amount"),
        ({"amount": "1e3"}, "amount_invalid", "amount"),
        ({"amount": ""}, "amount_invalid", "amount"),
        ({"amount": "0.123456789"}, "amount_precision", "amount"),
        ({"amount": "9" * 90}, "amount_range", "amount"),
        ({"amount": "0"}, "amount_too_small", "amount"),
        ({"amount": "0.00000001"}, "amount_too_small", "amount"),
        ({"amount": "1"}, "insufficient_funds", "amount"),
        ({"idempotency_key": ""}, "idempotency_key_missing", None),
        ({"idempotency_key": "x" * 201}, "idempotency_key_missing", None),
    ],
)
def test_bad_input_gets_its_code_and_moves_nothing(house, changes, code, param):
    with pytest.raises(DomainError) as refused:
        ask(**changes)
    assert (refused.value.code, refused.value.param) == (code, param)
    assert 400 <= refused.value.status < 500
    assert held() == 0
    assert not Withdrawal.objects.exists()


def test_the_hot_wallets_own_address_is_refused(house):
    with pytest.raises(withdrawals.AddressNotAllowed):
        ask(address=house.hot("bitcoin"))


def test_a_token_is_not_sent_to_its_own_contract_or_to_nobody(house, usdt, fund):
    fund(ALICE, 4, 10**9)
    for address in (usdt, usdt.lower()):
        with pytest.raises(withdrawals.AddressNotAllowed):
            ask(asset="USDT", network="ethereum", address=address, amount="100")
    with pytest.raises(withdrawals.AddressInvalid):
        ask(asset="USDT", network="ethereum", address="0x" + "00" * 20, amount="100")


def test_a_stop_refuses_everybody_with_503(house):
    stops.stop(scope="withdrawals", reason="a test of the alarm", now=timezone.now())
    with pytest.raises(DomainError) as refused:
        ask()
    assert (refused.value.code, refused.value.status) == ("withdrawals_stopped", 503)


def test_a_frozen_customer_is_refused(house):
    freezes.freeze(owner_id=ALICE, reason="a court asks", actor=None, now=timezone.now())
    with pytest.raises(withdrawals.AccountFrozen):
        ask()
    assert held() == 0


def test_the_same_key_gives_the_same_withdrawal_and_another_body_a_conflict(house):
    first = ask(idempotency_key="once")
    assert ask(idempotency_key="once").id == first.id
    assert held() == first.total
    with pytest.raises(withdrawals.IdempotencyMismatch):
        ask(idempotency_key="once", amount="0.2")
    assert ask(idempotency_key="once").id == first.id


def test_two_customers_may_choose_the_same_key(house, fund):
    fund(BOB, BTC, COIN)
    assert ask(idempotency_key="once").id != ask(BOB, idempotency_key="once").id


def test_a_customer_cancels_and_has_the_money_again(house):
    view = ask()
    cancelled = withdrawals.cancel(user_id=ALICE, withdrawal_id=view.id, now=timezone.now())
    assert (cancelled.state, cancelled.cancellable, held()) == ("cancelled", False, 0)
    assert withdrawals.cancel(user_id=ALICE, withdrawal_id=view.id, now=timezone.now()).state == "cancelled"


def test_nobody_cancels_or_sees_what_is_anothers(house):
    view = ask()
    with pytest.raises(DomainError) as refused:
        withdrawals.cancel(user_id=BOB, withdrawal_id=view.id, now=timezone.now())
    assert refused.value.code == "withdrawal_not_found"
    with pytest.raises(DomainError) as unseen:
        selectors.withdrawal(BOB, view.id)
    assert unseen.value.code == "withdrawal_not_found"
    assert held() == view.total


class TestReview:
    @pytest.fixture(autouse=True)
    def limit(self, settings):
        settings.WALLETS_REVIEW_ABOVE = {"BTC": "0.5"}

    def test_a_large_one_waits_for_staff_and_goes_on_when_they_approve(self, house):
        view = ask(amount="0.6")
        assert (view.state, view.reason) == ("review", "above 0.5 BTC")
        withdrawals.approve(withdrawal_id=view.id, actor_id=STAFF, now=timezone.now())
        assert selectors.withdrawal(ALICE, view.id).state == "approved"
        assert Withdrawal.objects.get().approved_by == STAFF
        assert Record.objects.filter(action="withdrawal.approve", actor_id=STAFF).count() == 1

    def test_the_limit_itself_goes_through(self, house):
        assert ask(amount="0.5").state == "approved"

    def test_a_rejected_one_gives_the_money_back_with_the_reason(self, house):
        view = ask(amount="0.6")
        withdrawals.reject(
            withdrawal_id=view.id, actor_id=STAFF, reason="the address is a known thief's", now=timezone.now()
        )
        after = selectors.withdrawal(ALICE, view.id)
        assert (after.state, after.reason, held()) == ("rejected", "the address is a known thief's", 0)
        for act in (withdrawals.approve, withdrawals.reject):
            extra = {} if act is withdrawals.approve else {"reason": "again"}
            with pytest.raises(withdrawals.WithdrawalState):
                act(withdrawal_id=view.id, actor_id=STAFF, now=timezone.now(), **extra)


@pytest.mark.django_db(transaction=True)
def test_fifty_at_once_never_hold_more_than_there_is(house):
    def one(number):
        try:
            return ask(idempotency_key=f"parallel-{number}").state
        except DomainError as refused:
            return refused.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as pool:
        outcomes = list(pool.map(one, range(50)))
    each = COIN // 10 + Withdrawal.objects.first().fee
    fit = COIN // each
    assert outcomes.count("approved") == fit
    assert outcomes.count("insufficient_funds") == 50 - fit
    assert held() == fit * each <= COIN


@pytest.mark.django_db(transaction=True)
def test_one_key_many_times_at_once_is_one_withdrawal(house):
    def one(_):
        try:
            return ask(idempotency_key="double click").id
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(one, range(24)))
    assert len(found) == Withdrawal.objects.count() == 1
