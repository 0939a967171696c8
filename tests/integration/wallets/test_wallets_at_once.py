"""Many at once on the same money: real threads before PostgreSQL. What fits is held, to the unit, and nothing is done twice."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.core import mail
from django.db import connections, transaction
from django.utils import timezone

from custody.models import SigningJob
from exchange.accounts.services import customers
from exchange.core.errors import DomainError
from exchange.ledger import selectors as ledger
from exchange.ledger.models import Hold
from tests import mailing
from wallets import selectors
from wallets.lifecycle import State
from wallets.models import Address, Payout, PayoutVersion, Withdrawal, WithdrawalApproval
from wallets.services import approving, confirming, payouts, releasing, steps, withdrawals

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


def later(seconds, job):
    time.sleep(seconds)
    return job()


def reserved(view):
    """As the machine leaves it before it asks the signer: a payout with a version of its own."""
    now = timezone.now()
    hot = Address.objects.filter(network_id=1, purpose=Address.Purpose.HOT, branch=0).get()
    payout = Payout.objects.create(
        network_id=1, asset_id=BTC, state=Payout.State.RESERVED, address=hot, confirmations_required=2, created_at=now
    )
    PayoutVersion.objects.create(payout=payout, unsigned={"fee": 1}, created_at=now)
    with transaction.atomic():
        row = releasing.lock(view.id)
        steps.enter(row, State.RESERVED, payout=payout, payout_position=0, now=now)
    return payout


def test_cancelling_and_holding_against_signing_either_stop_it_or_come_too_late_never_both(house):
    outcomes = Counter()
    for number in range(ROUNDS):
        view = ask(f"race-{number}")
        payout = reserved(view)
        taken = {"withdrawal_id": view.id, "now": timezone.now()}
        stop = (
            partial(withdrawals.cancel, user_id=ALICE, **taken)
            if number % 2
            else partial(approving.hold, actor_id=ANN, reason="wait", **taken)
        )
        # A little later each time, so that each of the two comes first now and then.
        late = partial(later, (number // 2) * 0.008, stop)
        stopped, _ = at_once(late, partial(payouts.advance, reference=str(payout.id), now=timezone.now()))
        state = selectors.withdrawal(ALICE, view.id).state
        asked = SigningJob.objects.filter(reference=str(payout.id)).exists()
        pending = Hold.objects.get(pk=view.id).state == "pending"
        if state == "signing":
            assert stopped in ("withdrawal_not_cancellable", "withdrawal_state") and asked and pending
        else:
            assert (state, pending) == (("cancelled", False) if number % 2 else ("review", True)) and not asked
            assert Payout.objects.get(pk=payout.pk).state == Payout.State.RELEASED
        outcomes[state] += 1
    assert sum(outcomes.values()) == ROUNDS
    assert held() == (ROUNDS - outcomes["cancelled"]) * (COIN // 100 + FEE)


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
        mailing.deliver(now=timezone.now())
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
