"""A large withdrawal from the customer's word to the end, on a real node with the real signer: two people agree, staff send it
again at a higher fee, then call it back; the customer sees each of it."""

from __future__ import annotations

import pytest
from django.utils import timezone

from config.regtest import Bitcoind
from exchange.audit.models import Record
from exchange.ledger.selectors import holds
from exchange.site import progress
from tests.integration.wallets.coins_out import ALICE, COIN, all_are, ask, broadcast, exact, final, mine, state
from wallets import desk, selectors
from wallets.models import PayoutVersion
from wallets.services import approving

ANN, BEN = 900, 901
BTC = 1

pytestmark = [pytest.mark.node, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def node(signing_house, chains, tmp_path):
    with Bitcoind(folder=tmp_path / "node") as node:
        chains(bitcoin=node)
        yield node


@pytest.fixture
def house(signing_house, node, rules):
    rules([{"name": "two look", "effect": "review", "approvers": 2, "assets": ["BTC"]}])
    signing_house.scan("bitcoin")
    for _ in range(3):
        node.send(signing_house.hot("bitcoin"), COIN)
    node.send(signing_house.address(ALICE, "BTC", "bitcoin"), COIN)
    mine(signing_house, node, 6)
    return signing_house


def act(deed, view, actor, **more):
    return deed(withdrawal_id=view.id, actor_id=actor, now=timezone.now(), **more)


def shown(view):
    """The stages of the customer's page, by title."""
    return {stage.title: stage for stage in progress.of_withdrawal(selectors.withdrawal(ALICE, view.id))}


def version(number):
    return broadcast(PayoutVersion.objects.get(number=number).id)


def test_two_agree_it_is_raised_and_then_called_back_and_every_step_is_seen(house, node):
    outside = node.new_address()
    view = ask(outside)
    assert state(view) == "review" and shown(view)["Looked at by a person"].look == "now"
    assert act(approving.approve, view, ANN) == 1
    assert act(approving.approve, view, BEN) == 0
    all_are([view], "broadcast")
    assert desk.case(withdrawal_id=view.id, now=timezone.now()).verbs == ("bump", "cancel_on_chain")

    act(approving.bump, view, ANN, reason="it waits since noon")
    first, second = version(1), version(2)
    seen = selectors.withdrawal(ALICE, view.id)
    assert [(each.kind, each.txid) for each in seen.transactions] == [("first", first.txid), ("bump", second.txid)]
    assert seen.txid == second.txid
    assert shown(view)["Sent to the network"].look == "now"

    # The policy wanted two for it to leave, so two call it back.
    assert act(approving.cancel_on_chain, view, ANN, reason="the customer asks us to") == 1
    with pytest.raises(approving.AlreadyApproved):
        act(approving.cancel_on_chain, view, ANN, reason="the customer asks us to")
    assert act(approving.cancel_on_chain, view, BEN, reason="the customer asks us to") == 0
    third = version(3)
    assert "calling it back" in shown(view)["Sent to the network"].detail
    mine(house, node)
    stage = shown(view)["Called back"]
    assert stage.look == "now" and "available again" in stage.detail and holds.get(id=view.id).state == "pending"
    final(house, node)
    ended = selectors.withdrawal(ALICE, view.id)
    assert (ended.state, ended.txid, holds.get(id=view.id).state) == ("failed", third.txid, "voided")
    assert (house.balance(ALICE, BTC), node.received(outside)) == (COIN, 0)
    assert shown(view)["Sent to the network"].txid == first.txid
    deeds = Record.objects.filter(subject=f"withdrawal:{view.id}").order_by("id").values_list("action", "actor_id")
    assert list(deeds) == [
        ("withdrawal.approve", ANN), ("withdrawal.approve", BEN), ("withdrawal.bump", ANN), ("withdrawal.cancel_on_chain", ANN),
        ("withdrawal.cancel_on_chain", BEN),
    ]  # fmt: skip
    assert exact(house)
