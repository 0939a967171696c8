"""Several withdrawals in one transaction: who shares it, who must not hold up the others, and what the books carry."""

from __future__ import annotations

import pytest
from django.utils import timezone

from config.regtest import Bitcoind
from exchange.ledger.selectors import holds
from exchange.ledger.services import freezes
from tests.integration.wallets.coins_out import (
    ALICE,
    BOB,
    COIN,
    TENTH,
    all_are,
    ask,
    exact,
    final,
    mine,
    state,
    until,
)
from wallets import routes, selectors
from wallets.models import Payout, PayoutVersion, Reservation, Withdrawal
from wallets.services import batching, payouts, withdrawals

BTC = 1
LIMIT = ("limit", "bitcoin", "--asset-id", "1", "--symbol", "BTC", "--decimals", "8", "--each", "2", "--day", "10")

pytestmark = [pytest.mark.node, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def node(signing_house, chains, tmp_path):
    with Bitcoind(folder=tmp_path / "node") as node:
        chains(bitcoin=node)
        yield node


@pytest.fixture
def house(signing_house, node):
    """Two coins in the hot wallet, and Alice and Bob with one deposit each."""
    signing_house.scan("bitcoin")
    for address in (signing_house.hot("bitcoin"), signing_house.hot("bitcoin")):
        node.send(address, COIN)
    for user in (ALICE, BOB):
        node.send(signing_house.address(user, "BTC", "bitcoin"), COIN)
    mine(signing_house, node, 6)
    assert (signing_house.balance(ALICE, BTC), signing_house.balance(BOB, BTC)) == (COIN, COIN)
    return signing_house


def gather():
    return batching.gather(routes=routes.of("bitcoin"), now=timezone.now())


def test_a_refusal_that_blames_nobody_splits_the_batch_until_the_one_too_many_stands_alone(house, node, signer):
    """The signer allows a quarter of a coin an hour; three tenths are asked for."""
    signer.custody(*LIMIT, "--hour", "0.25", "--fee", "0.01")
    try:
        views = [ask(node.new_address()) for _ in range(3)]
        until(lambda: "review" in [state(view) for view in views], "nobody was refused")
        staying = [view for view in views if state(view) == "review"]
        all_are([view for view in views if view not in staying], "broadcast")
    finally:
        signer.custody(*LIMIT, "--hour", "5", "--fee", "0.01")
    assert len(staying) == 1
    assert "limit_hour" in Withdrawal.objects.get(pk=staying[0].id).reason
    assert sorted(len(payout.withdrawals.all()) for payout in Payout.objects.exclude(state="released")) == [1, 1]
    mine(house, node, 12)
    assert exact(house)


def test_many_leave_in_one_transaction_that_is_paid_for_once(house, node, settings):
    settings.WALLETS_BATCH_SECONDS = 3600
    outside = [node.new_address() for _ in range(6)]
    views = [ask(address, "0.05", user_id=(ALICE, BOB)[number % 2]) for number, address in enumerate(outside)]
    payouts.advance_all(now=timezone.now())
    assert {state(view) for view in views} == {"approved"}  # they wait for company
    settings.WALLETS_BATCH_MAX = 6
    all_are(views, "broadcast")  # a full batch leaves at once
    payout = Payout.objects.get()
    assert sorted(payout.withdrawals.values_list("payout_position", flat=True)) == list(range(6))
    mine(house, node)
    all_are(views, "confirmed")
    # Its block is reorganised away: all of them wait again, and are final together in the end.
    node.invalidate(node.rpc("getblockhash", node.height()))
    node.rpc("prioritisetransaction", payout.txid, 0, -COIN)
    node.mine(2)
    house.scan("bitcoin")
    assert {state(view) for view in views} == {"broadcast"}
    node.rpc("prioritisetransaction", payout.txid, 0, COIN)
    final(house, node)
    assert {state(view) for view in views} == {"final"}
    assert [node.received(address, confirmations=1) for address in outside] == [TENTH // 2] * 6
    payout.refresh_from_db()
    assert house.total("house_network_fees", BTC) == -payout.network_fee == -payout.booked_fee < 0
    assert house.total("house_fees", BTC) == sum(view.fee for view in views)
    assert exact(house)


def test_the_one_that_a_refusal_names_goes_to_staff_and_the_others_leave(house, node):
    views = [ask(node.new_address(), "0.05") for _ in range(3)]
    gather()
    # Somebody else's hand on the row: the signer compares it with what it is to sign.
    Withdrawal.objects.filter(pk=views[1].id).update(amount=TENTH)
    all_are([views[0], views[2]], "broadcast")
    refused = Withdrawal.objects.get(pk=views[1].id)
    assert (refused.state, refused.payout_id) == ("review", None)
    assert "withdrawal_mismatch" in refused.reason
    payout = Payout.objects.exclude(state="released").get()
    assert payout.withdrawals.count() == 2
    assert Reservation.objects.filter(released_at=None).exclude(payout=payout).count() == 0
    assert "withdrawal_mismatch" in PayoutVersion.objects.get(payout__state="released").refusal


def test_one_that_is_cancelled_leaves_its_reserved_batch_and_the_others_go_on(house, node):
    outside = [node.new_address() for _ in range(3)]
    views = [ask(address, "0.05") for address in outside]
    gather()
    assert {state(view) for view in views} == {"reserved"}
    withdrawals.cancel(user_id=ALICE, withdrawal_id=views[0].id, now=timezone.now())
    assert [state(view) for view in views] == ["cancelled", "approved", "approved"]
    assert holds.get(id=views[0].id).state == "voided"
    assert not Reservation.objects.filter(released_at=None).exists()
    all_are(views[1:], "broadcast")
    final(house, node)
    assert [node.received(address, confirmations=1) for address in outside] == [0, TENTH // 2, TENTH // 2]
    assert exact(house)


def test_a_frozen_customer_holds_up_nobody_else(house, node):
    alices, bobs = ask(node.new_address()), ask(node.new_address(), user_id=BOB)
    gather()
    assert Payout.objects.get().withdrawals.count() == 2
    freezes.freeze(owner_id=BOB, reason="a question", actor=None, now=timezone.now())
    all_are([alices], "broadcast")
    waiting = selectors.withdrawal(BOB, bobs.id)
    assert (waiting.state, waiting.waiting) == ("approved", "frozen")
    freezes.unfreeze(owner_id=BOB, reason="answered", actor=None, now=timezone.now())
    all_are([bobs], "broadcast")
    final(house, node)
    assert exact(house)


def test_one_too_large_for_the_hot_wallet_or_at_too_high_a_fee_waits_and_the_others_leave(house, node, fund, settings):
    fund(ALICE, BTC, 100 * COIN)
    whale, minnow = ask(node.new_address(), "0.05"), ask(node.new_address(), "0.05")
    Withdrawal.objects.filter(pk=whale.id).update(amount=50 * COIN)
    all_are([minnow], "broadcast")
    assert Payout.objects.get().withdrawals.get().id == minnow.id
    waiting = Withdrawal.objects.get(pk=whale.id)
    assert (waiting.state, waiting.waiting) == ("approved", "hot_wallet_short")
    view = ask(node.new_address(), user_id=BOB)
    for cap, share in (({"bitcoin": 1_000}, None), ({}, 10)):  # by the house's limit, by a share of what was agreed
        settings.WALLETS_FEE_CAP, settings.WALLETS_FEE_CAP_SHARE = cap, share
        Withdrawal.objects.filter(pk=view.id).update(waiting="")
        payouts.advance_all(now=timezone.now())
        dear = selectors.withdrawal(BOB, view.id)
        assert (dear.state, dear.waiting) == ("approved", "fees_high")
    settings.WALLETS_FEE_CAP, settings.WALLETS_FEE_CAP_SHARE = {}, None
    mine(house, node)
    all_are([view], "broadcast")
