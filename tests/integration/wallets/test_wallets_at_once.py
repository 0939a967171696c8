"""Many at once on the same money: real threads before PostgreSQL. What fits is held, to the unit, and nothing is done twice."""

from __future__ import annotations

import re
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.core import mail
from django.db import connections, transaction
from django.utils import timezone

from exchange.accounts.services import customers
from exchange.core.errors import DomainError
from exchange.ledger import selectors as ledger
from exchange.ledger.models import Hold
from exchange.outbox import services as outbox
from wallets import selectors
from wallets.lifecycle import State, WrongTurn
from wallets.models import Withdrawal, WithdrawalApproval
from wallets.services import approving, confirming, releasing, steps, withdrawals

ALICE, ANN, BEN, CID = 101, 900, 901, 902
BTC, COIN = 1, 10**8
OUTSIDE = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
FEE = 10_000
ROUNDS = 12

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def rich(house, fund, prices):
    fund(ALICE, BTC, COIN)


def ask(key, amount="0.01", user_id=ALICE):
    return withdrawals.request(
        user_id=user_id, asset="BTC", network="bitcoin", address=OUTSIDE, amount=amount, idempotency_key=key,
        now=timezone.now(),
    )  # fmt: skip


def held(user_id=ALICE):
    return next(balance.held for balance in ledger.balances(owner_id=user_id) if balance.asset_id == BTC)


def at_once(*jobs):
    """Each job in a thread of its own, all let go in the same moment: what it returned, or the code it was refused with."""
    together = threading.Barrier(len(jobs))

    def one(job):
        try:
            together.wait(60)
            return job()
        except DomainError as refused:
            return refused.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(one, jobs))


def test_a_thousand_requests_on_one_balance_hold_exactly_what_fits(house):
    """Twenty threads with a connection each, fifty requests a thread."""

    def fifty(thread):
        outcomes = Counter()
        for number in range(50):
            try:
                outcomes[ask(f"thousand-{thread}-{number}", "0.03").state] += 1
            except DomainError as refused:
                outcomes[refused.code] += 1
        return outcomes

    outcomes = sum(at_once(*[partial(fifty, thread) for thread in range(20)]), Counter())
    each = 3 * COIN // 100 + FEE
    fit = COIN // each
    # The customer's day passes the policy's bound of half a coin with the seventeenth: staff look at the rest.
    assert outcomes == {"approved": 16, "review": fit - 16, "insufficient_funds": 1_000 - fit}
    assert held() == fit * each and COIN - held() < each
    rows = dict(Withdrawal.objects.values_list("id", "amount"))
    holds = dict(Hold.objects.filter(state="pending").values_list("id", "amount"))
    assert holds == {key: amount + FEE for key, amount in rows.items()} and len(rows) == fit


def test_one_key_many_times_at_once_is_one_withdrawal(house):
    found = set(at_once(*[lambda: ask("double click").id] * 24))
    assert len(found) == Withdrawal.objects.count() == 1
    assert held() == COIN // 100 + FEE


def test_cancelling_against_signing_either_frees_the_money_or_asks_the_signer_never_both(house):
    outcomes = Counter()
    for number in range(ROUNDS):
        view = ask(f"race-{number}")
        _to(view, State.RESERVED)
        cancelled, signing = at_once(
            lambda view=view: withdrawals.cancel(user_id=ALICE, withdrawal_id=view.id, now=timezone.now()).state,
            lambda view=view: _to(view, State.SIGNING),
        )
        state = selectors.withdrawal(ALICE, view.id).state
        pending = Hold.objects.get(pk=view.id).state == "pending"
        if state == "cancelled":
            assert (cancelled, signing, pending) == ("cancelled", "wrong turn", False)
        else:
            assert (cancelled, signing, pending) == ("withdrawal_not_cancellable", "signing", True)
        outcomes[state] += 1
    assert sum(outcomes.values()) == ROUNDS
    assert held() == outcomes["signing"] * (COIN // 100 + FEE)


def _to(view, state):
    """As the machine does it: under the row's lock, and only from where that way starts."""
    with transaction.atomic():
        row = releasing.lock(view.id)
        try:
            steps.enter(row, state, now=timezone.now())
        except WrongTurn:
            return "wrong turn"
    return str(state)


class TestStaff:
    @pytest.fixture
    def looked_at(self, house, rules):
        """Withdrawals that two people must agree to."""
        rules([{"name": "two look", "effect": "review", "approvers": 2}])
        return lambda number: ask(f"staff-{number}")

    def approve(self, view, actor):
        return approving.approve(withdrawal_id=view.id, actor_id=actor, now=timezone.now())

    def test_one_person_who_says_yes_many_times_at_once_is_one_person(self, looked_at):
        view = looked_at(0)
        outcomes = Counter(at_once(*[partial(self.approve, view, ANN)] * 8))
        assert outcomes == {1: 1, "already_approved": 7}
        assert selectors.withdrawal(ALICE, view.id).state == "review"
        assert WithdrawalApproval.objects.count() == 1

    def test_two_people_at_once_are_two_and_it_goes_on_once(self, looked_at):
        for number in range(ROUNDS):
            view = looked_at(number)
            outcomes = at_once(partial(self.approve, view, ANN), partial(self.approve, view, BEN))
            assert sorted(outcomes) == [0, 1]
            after = selectors.withdrawal(ALICE, view.id)
            assert [step.state for step in after.steps] == ["requested", "review", "approved"]

    def test_a_last_yes_and_a_no_at_once_end_in_one_of_the_two(self, looked_at):
        for number in range(ROUNDS):
            view = looked_at(number)
            self.approve(view, CID)
            no = partial(approving.reject, withdrawal_id=view.id, actor_id=BEN, reason="no", now=timezone.now())
            outcomes = at_once(partial(self.approve, view, ANN), no)
            state = selectors.withdrawal(ALICE, view.id).state
            assert (outcomes, state) in (
                ([0, "withdrawal_state"], "approved"),
                (["withdrawal_state", None], "rejected"),
            )
            assert (Hold.objects.get(pk=view.id).state == "pending") is (state == "approved")


class TestTheLink:
    @pytest.fixture
    def anna(self, fund, settings):
        settings.WITHDRAWAL_EMAIL_CONFIRMATION = True
        user_id = customers.open(email="anna@example.com", password="x" * 12, email_verified=True, now=timezone.now())
        fund(user_id, BTC, COIN)
        return user_id

    def token(self):
        outbox.deliver(now=timezone.now())
        texts = "\n".join(message.body for message in mail.outbox)
        return re.findall(r"/wallet/withdrawals/confirm/(\S+)/", texts)[-1]

    def test_a_link_followed_many_times_at_once_confirms_once(self, house, anna):
        view = ask("link", user_id=anna)
        secret = self.token()
        outcomes = Counter(at_once(*[lambda: confirming.confirm(token=secret, now=timezone.now()).state] * 8))
        assert outcomes == {"approved": 1, "confirmation_used": 7}
        after = selectors.withdrawal(anna, view.id)
        assert [step.state for step in after.steps] == ["requested", "approved"]

    def test_confirming_against_cancelling_against_the_end_of_its_time_leaves_one_of_them(self, house, anna):
        for number in range(ROUNDS // 2):
            view = ask(f"end-{number}", user_id=anna)
            secret = self.token()
            over = view.requested_at + confirming.VALID_FOR
            at_once(
                lambda secret=secret: confirming.confirm(token=secret, now=timezone.now()).state,
                lambda view=view: withdrawals.cancel(user_id=anna, withdrawal_id=view.id, now=timezone.now()).state,
                lambda over=over: confirming.expire(now=over),
            )
            after = selectors.withdrawal(anna, view.id)
            # A customer may cancel what he has just confirmed; nothing may be confirmed that was cancelled.
            assert [step.state for step in after.steps] in (
                ["requested", "approved"], ["requested", "cancelled"], ["requested", "approved", "cancelled"],
            )  # fmt: skip
            assert (Hold.objects.get(pk=view.id).state == "pending") is (after.state == "approved")
