"""What may be asked, what is refused and how, and what it is said to cost: money held, nothing sent."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from django.utils import timezone

from custody import selectors as custody
from custody.models import PolicyDecision
from exchange.assets.models import AssetNetwork
from exchange.core.errors import DomainError
from exchange.ledger import selectors as ledger
from exchange.ledger.services import freezes, stops
from wallets import nodes, selectors
from wallets.lifecycle import State
from wallets.models import Address, ColdWallet, Withdrawal
from wallets.services import address_book, quoting, withdrawals

ALICE, BOB = 101, 102
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


def quote(**changes):
    asked = {"asset": "BTC", "network": "bitcoin", "address": OUTSIDE, "amount": "0.1"}
    return quoting.quote(user_id=ALICE, now=timezone.now(), **{**asked, **changes})


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


BAD = [
    ({"asset": "DOGE"}, "asset_not_found", "asset"),
    ({"network": "ethereum"}, "network_not_found", "network"),
    ({"address": "nonsense"}, "address_invalid", "address"),
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
]


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        *BAD,
        ({"address": ""}, "address_invalid", "address"),
        ({"fee": "0.00011"}, "fee_changed", "fee"),
        ({"fee": "none"}, "amount_invalid", "fee"),
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


@pytest.mark.parametrize(("changes", "code", "param"), BAD)
def test_a_quote_refuses_what_the_request_would(house, changes, code, param):
    with pytest.raises(DomainError) as refused:
        quote(**changes)
    assert (refused.value.code, refused.value.param) == (code, param)


def test_a_quote_says_what_arrives_what_it_costs_and_how_long_it_takes_and_holds_nothing(house):
    found = quote()
    assert (found.amount, found.fee, found.total) == (COIN // 10, 10_000, COIN // 10 + 10_000)
    assert found.left == COIN - found.total and held() == 0
    assert (found.address, found.destination_class, found.confirmations) == (OUTSIDE, "one_time", 2)
    assert found.usual_s == 2 * 600  # nothing was measured yet: what two blocks take
    assert found.worth.amount == 1_000_00
    assert quote(address="").address == "" and not PolicyDecision.objects.exists()


def test_how_long_it_takes_is_measured_once_enough_have_ended(house):
    now = timezone.now()
    for minutes in (1, 2, 3, 4, 60):
        view = ask(amount="0.01")
        Withdrawal.objects.filter(pk=view.id).update(
            state=State.FINAL, approved_at=now, closed_at=now + timedelta(minutes=minutes)
        )
        seen = quote(amount="0.01").usual_s
        assert seen == (180 if minutes == 60 else 1200)


def test_the_agreed_fee_is_what_is_taken_and_another_is_refused_before_anything_is_held(house):
    agreed = quote()
    AssetNetwork.objects.filter(asset_id=BTC).update(withdrawal_fee=20_000)
    with pytest.raises(quoting.FeeChanged) as refused:
        ask(fee="0.0001")
    assert "0.0002 BTC" in refused.value.message and held() == 0
    assert agreed.fee == 10_000
    view = ask(fee="0.0002", idempotency_key="agreed")
    AssetNetwork.objects.filter(asset_id=BTC).update(withdrawal_fee=30_000)
    # A retry of what was taken finds it, whatever the fee is now.
    assert ask(fee="0.0002", idempotency_key="agreed").id == view.id and view.fee == 20_000


def test_an_output_so_small_that_the_network_drops_it_is_refused_whatever_the_assets_own_minimum_is(house):
    AssetNetwork.objects.filter(asset_id=BTC).update(min_withdrawal=1)
    assert ask(amount="0.00000294").amount == 294
    with pytest.raises(quoting.AmountTooSmall, match=r"0\.00000294 BTC"):
        ask(amount="0.00000293")


def test_addresses_of_the_house_are_refused_and_a_customers_is_not(house):
    now = timezone.now()
    text = "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry"
    cold = ColdWallet.objects.create(
        network_id=1, name="vault", descriptor="wsh(…)", kind="single", created_at=now, created_by=900
    )
    script = nodes.rules("bitcoin").parse(text).key
    Address.objects.create(
        network_id=1, address=text, script=script, purpose="cold", cold=cold, index=0, created_at=now
    )
    for own in (house.hot("bitcoin"), text):
        with pytest.raises(quoting.AddressNotAllowed):
            ask(address=own)
        with pytest.raises(address_book.ListedAddressNotAllowed):
            address_book.add(user_id=ALICE, network="bitcoin", address=own, label="theirs", now=now)
    assert ask(address=house.address(BOB, "BTC", "bitcoin")).state == "approved"


def test_a_token_is_not_sent_to_its_own_contract_or_to_nobody(house, usdt, fund):
    fund(ALICE, 4, 10**9)
    for address in (usdt, usdt.lower()):
        with pytest.raises(quoting.AddressNotAllowed):
            ask(asset="USDT", network="ethereum", address=address, amount="100")
    with pytest.raises(quoting.AddressInvalid):
        ask(asset="USDT", network="ethereum", address="0x" + "00" * 20, amount="100")


def test_a_stop_refuses_everybody_with_503(house):
    stops.stop(scope="withdrawals", reason="a test of the alarm", now=timezone.now())
    for refusing in (ask, quote):
        with pytest.raises(DomainError) as refused:
            refusing()
        assert (refused.value.code, refused.value.status) == ("withdrawals_stopped", 503)


def test_a_frozen_customer_is_refused(house):
    freezes.freeze(owner_id=ALICE, reason="a court asks", actor=None, now=timezone.now())
    with pytest.raises(quoting.AccountFrozen):
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


class TestThePolicy:
    def test_every_request_has_its_stored_decision_and_the_customer_reads_no_limit_of_ours(self, house):
        small, large = ask(amount="0.1"), ask(amount="0.3")
        for view, effect in ((small, "allow"), (large, "review")):
            row = Withdrawal.objects.get(pk=view.id)
            decision = custody.decision(row.decision_id)
            assert decision.effect == effect and decision.explanation
            assert custody.decisions(f"withdrawal:{view.id}") == [decision]
        assert (large.state, large.reason) == ("review", "")
        row = Withdrawal.objects.get(pk=large.id)
        assert row.approvals_needed == 1 and row.reason.startswith("policy: ")

    def test_what_the_policy_blocks_is_refused_at_the_request_with_nothing_held_and_the_decision_kept(
        self, house, rules
    ):
        rules([{"name": "no bitcoin", "effect": "block", "assets": ["BTC"], "code": "policy_amount"}])
        with pytest.raises(withdrawals.PolicyBlocked) as refused:
            ask()
        assert (refused.value.code, refused.value.status) == ("policy_blocked", 403)
        assert "no bitcoin" not in refused.value.message
        assert held() == 0 and not Withdrawal.objects.exists()
        assert PolicyDecision.objects.get().effect == "block"

    def test_the_windows_count_this_customers_and_everybodys_and_nothing_that_was_given_back(self, house, fund):
        fund(BOB, BTC, COIN)
        ask(amount="0.02")
        gone = ask(amount="0.05")
        withdrawals.cancel(user_id=ALICE, withdrawal_id=gone.id, now=timezone.now())
        old = ask(amount="0.01")
        Withdrawal.objects.filter(pk=old.id).update(requested_at=timezone.now() - timedelta(hours=2))
        ask(BOB, amount="0.04")
        last = ask(amount="0.1")
        spent = PolicyDecision.objects.get(pk=Withdrawal.objects.get(pk=last.id).decision_id).spent
        coins = {name: int(value) / COIN for name, value in spent.items()}
        assert coins == {"customer:3600": 0.02, "customer:86400": 0.03, "house:3600": 0.06, "house:86400": 0.07}

    def test_a_listed_destination_is_told_to_the_policy(self, house):
        before = timezone.now() - timedelta(hours=25)
        address_book.add(user_id=ALICE, network="bitcoin", address=OUTSIDE, label="mine", now=before)
        view = ask()
        assert view.destination_class == "listed"
        assert PolicyDecision.objects.get().destination == "listed"
