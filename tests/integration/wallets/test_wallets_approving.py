"""What staff say: as many different people as the policy wants, never the customer himself, each on record."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from django.utils import timezone

from exchange.audit.models import Record
from exchange.core.errors import DomainError
from exchange.core.ids import uuid7
from exchange.ledger import selectors as ledger
from wallets import selectors
from wallets.lifecycle import State
from wallets.models import Address, CancelAgreement, Payout, Withdrawal, WithdrawalApproval
from wallets.services import approving, bumping, steps, withdrawals

ALICE, ANN, BEN, CID = 101, 900, 901, 902
BTC, COIN = 1, 10**8
OUTSIDE = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
KEYS = itertools.count()

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def rich(house, fund, prices):
    fund(ALICE, BTC, 10 * COIN)


def ask(amount="0.3"):
    return withdrawals.request(
        user_id=ALICE, asset="BTC", network="bitcoin", address=OUTSIDE, amount=amount,
        idempotency_key=f"a-{next(KEYS)}", now=timezone.now(),
    )  # fmt: skip


def act(deed, view, actor=ANN, **more):
    return deed(withdrawal_id=view.id, actor_id=actor, now=timezone.now(), **more)


def state(view):
    return selectors.withdrawal(ALICE, view.id).state


def held():
    return next(balance.held for balance in ledger.balances(owner_id=ALICE) if balance.asset_id == BTC)


def test_one_yes_is_enough_where_the_policy_wants_one(house):
    view = ask()
    assert act(approving.approve, view, note="known customer") == 0
    row = Withdrawal.objects.get()
    assert (row.state, row.approved_by, row.reason) == ("approved", ANN, "")
    record = Record.objects.get(action="withdrawal.approve")
    assert (record.actor_id, record.subject) == (ANN, f"withdrawal:{view.id}")
    assert (record.before["state"], record.after["state"], record.after["note"]) == (
        "review", "approved", "known customer",
    )  # fmt: skip


def test_two_are_two_different_people(house):
    view = ask("1.5")
    assert Withdrawal.objects.get().approvals_needed == 2
    assert act(approving.approve, view) == 1
    assert state(view) == "review"
    with pytest.raises(approving.AlreadyApproved):
        act(approving.approve, view)
    assert act(approving.approve, view, BEN) == 0
    assert state(view) == "approved"
    assert [row.actor_id for row in WithdrawalApproval.objects.order_by("id")] == [ANN, BEN]
    assert [row.after["approvals"] for row in Record.objects.filter(action="withdrawal.approve").order_by("id")] == [
        "1 of 2", "2 of 2",
    ]  # fmt: skip


@pytest.mark.parametrize("deed", [approving.approve, approving.reject, approving.hold])
def test_nobody_decides_about_a_withdrawal_of_his_own(house, deed):
    view = ask()
    more = {} if deed is approving.approve else {"reason": "mine"}
    with pytest.raises(approving.OwnWithdrawal):
        act(deed, view, ALICE, **more)
    assert state(view) == "review" and not Record.objects.filter(actor_id=ALICE).exists()


def test_a_no_gives_the_money_back_with_the_reason_and_is_the_last_word(house):
    view = ask()
    act(approving.reject, view, reason="the address is a known thief's")
    after = selectors.withdrawal(ALICE, view.id)
    assert (after.state, after.reason, held()) == ("rejected", "the address is a known thief's", 0)
    for deed in (approving.approve, approving.reject, approving.hold, approving.bump, approving.cancel_on_chain):
        more = {} if deed is approving.approve else {"reason": "again"}
        with pytest.raises(approving.WithdrawalState):
            act(deed, view, BEN, **more)


@pytest.mark.parametrize("deed", [approving.reject, approving.hold, approving.bump, approving.cancel_on_chain])
def test_a_deed_without_a_reason_is_none(house, deed):
    view = ask()
    with pytest.raises(approving.ReasonMissing):
        act(deed, view, reason="  ")
    assert state(view) == "review"


def test_one_that_is_held_needs_a_new_yes_of_everybody(house):
    view = ask("1.5")
    act(approving.approve, view)
    act(approving.approve, view, BEN)
    act(approving.hold, view, CID, reason="the customer called")
    row = Withdrawal.objects.get()
    assert (row.state, row.reason, row.approvals_needed) == ("review", "held: the customer called", 2)
    assert row.approved_at is None and row.approved_by is None and not row.approvals.exists()
    assert held() == view.total and selectors.withdrawal(ALICE, view.id).reason == ""
    assert act(approving.approve, view) == 1
    assert act(approving.approve, view, BEN) == 0
    assert state(view) == "approved"


def test_a_small_one_that_is_held_needs_one_yes_though_the_policy_wanted_none(house):
    view = ask("0.1")
    assert state(view) == "approved"
    act(approving.hold, view, reason="looks odd")
    assert Withdrawal.objects.get().approvals_needed == 1
    assert act(approving.approve, view, BEN) == 0


def test_after_the_signer_asked_it_cannot_be_held_and_a_refusal_of_his_is_looked_at_anew(house):
    view = ask()
    act(approving.approve, view)
    row = Withdrawal.objects.get()
    for step in (State.RESERVED, State.SIGNING):
        steps.enter(row, step, now=timezone.now())
    with pytest.raises(approving.WithdrawalState):
        act(approving.hold, view, reason="too late")
    steps.enter(row, State.REVIEW, reason="the signer refused: hour_limit", now=timezone.now())
    assert not row.approvals.exists() and row.approvals_needed == 1


def test_what_is_not_there_is_not_found(house):
    with pytest.raises(DomainError) as refused:
        approving.approve(withdrawal_id=uuid7(), actor_id=ANN, now=timezone.now())
    assert refused.value.code == "withdrawal_not_found"


@pytest.fixture
def payout(house):
    """A transaction of ours that waits in the network's queue."""
    now = timezone.now()
    hot = Address.objects.filter(network_id=1, purpose=Address.Purpose.HOT, branch=0).get()
    return Payout.objects.create(
        network_id=1, asset_id=BTC, state=Payout.State.BROADCAST, address=hot, confirmations_required=2, created_at=now,
        txid="ab" * 32,
    )  # fmt: skip


class TestOnTheChain:
    """Bump and cancel are the machine's; here they are asked for, with a reason, and are on record before they are tried."""

    @pytest.mark.parametrize(
        ("deed", "name", "action"),
        [
            (approving.bump, "bump", "withdrawal.bump"),
            (approving.cancel_on_chain, "cancel", "withdrawal.cancel_on_chain"),
        ],
    )
    def test_the_machine_is_asked_with_the_payout_and_who_asked(self, house, payout, monkeypatch, deed, name, action):
        view = ask("0.1")
        Withdrawal.objects.update(state=State.BROADCAST, payout=payout)
        asked = []
        monkeypatch.setattr(bumping, name, lambda **values: asked.append(values))
        act(deed, view, reason="stuck since noon")
        assert [(each["payout_id"], each["actor_id"]) for each in asked] == [(payout.id, ANN)]
        assert Record.objects.get(action=action).after["note"] == "stuck since noon"
        assert state(view) == "broadcast" and held() == view.total

    def test_whose_withdrawal_is_in_the_same_transaction_does_not_decide_about_it(
        self, house, payout, monkeypatch, fund
    ):
        monkeypatch.setattr(bumping, "bump", lambda **values: pytest.fail("it was not asked for"))
        monkeypatch.setattr(bumping, "cancel", lambda **values: pytest.fail("it was not asked for"))
        view, own = ask("0.1"), ask("0.1")
        Withdrawal.objects.filter(pk=own.id).update(owner_id=ANN)
        Withdrawal.objects.update(state=State.BROADCAST, payout=payout)
        for deed in (approving.bump, approving.cancel_on_chain):
            with pytest.raises(approving.OwnWithdrawal):
                act(deed, view, reason="mine goes first")
        assert not Record.objects.filter(actor_id=ANN).exists()

    def test_a_cancel_takes_as_many_as_the_strictest_of_its_withdrawals(self, house, payout, monkeypatch):
        asked = []
        monkeypatch.setattr(bumping, "cancel", lambda **values: asked.append(values["actor_id"]))
        small, large = ask("0.1"), ask("1.5")
        assert [selectors.withdrawal(ALICE, each.id).state for each in (small, large)] == ["approved", "review"]
        Withdrawal.objects.update(state=State.BROADCAST, payout=payout)
        assert act(approving.cancel_on_chain, small, reason="a fraud") == 1
        with pytest.raises(approving.AlreadyApproved):
            act(approving.cancel_on_chain, large, reason="a fraud, by the other name")
        # What one wanted long ago is not wanted by two today.
        CancelAgreement.objects.update(at=timezone.now() - timedelta(days=2))
        assert act(approving.cancel_on_chain, large, BEN, reason="a fraud") == 1
        assert not asked
        assert act(approving.cancel_on_chain, large, reason="still a fraud") == 0
        assert asked == [ANN]
        assert act(approving.cancel_on_chain, large, CID, reason="the first came to nothing") == 0
        assert Record.objects.filter(action="withdrawal.cancel_on_chain").count() == 4

    def test_nothing_else_than_one_that_waits_for_a_block_is_touched(self, house, monkeypatch):
        view = ask("0.1")
        monkeypatch.setattr(bumping, "bump", lambda **values: pytest.fail("it was not asked for"))
        with pytest.raises(approving.WithdrawalState):
            act(approving.bump, view, reason="in a hurry")
        with pytest.raises(approving.OwnWithdrawal):
            act(approving.bump, view, ALICE, reason="in a hurry")
