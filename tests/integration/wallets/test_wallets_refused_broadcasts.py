"""Signed, and no node takes it: fees rose while withdrawals stood still. It is raised or taken back like one that was sent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from config.regtest import Bitcoind
from exchange.ledger.selectors import holds
from tests.integration.wallets.coins_out import (
    ALICE,
    COIN,
    TENTH,
    all_are,
    ask,
    broadcast,
    exact,
    final,
    mine,
    state,
    until,
)  # fmt: skip
from wallets import desk, nodes
from wallets.chains.protocol import BroadcastRefused
from wallets.models import Payout, Withdrawal
from wallets.services import approving, bumping, payouts

STAFF = 900

pytestmark = [pytest.mark.node, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def refusing(monkeypatch):
    """The node takes nothing of what is sent to it, until it is told otherwise."""

    def start(network):
        chain = nodes.chain(network)
        real, refused = chain.broadcast, []

        def refuse(raw):
            refused.append(raw)
            raise BroadcastRefused("min relay fee not met, 141 < 1410", node_code=-26)

        def relent():
            # The first bytes stay too cheap; others are taken.
            before = set(refused)
            monkeypatch.setattr(chain, "broadcast", lambda raw: refuse(raw) if raw in before else real(raw))

        monkeypatch.setattr(chain, "broadcast", refuse)
        return relent

    return start


def refused(network="bitcoin", amount="0.1", to=""):
    view = ask(to, amount, network=network)
    until(lambda: Withdrawal.objects.get(pk=view.id).waiting == "broadcast_refused", "it was taken")
    assert state(view) == "signed"
    return view, Payout.objects.get(withdrawals=view.id)


def test_what_no_node_takes_is_raised_or_taken_back(signing_house, chains, tmp_path, refusing):
    house = signing_house
    with Bitcoind(folder=tmp_path / "node") as node:
        chains(bitcoin=node)
        house.scan("bitcoin")
        for _ in range(3):
            node.send(house.hot("bitcoin"), COIN)
        node.send(house.address(ALICE, "BTC", "bitcoin"), COIN)
        mine(house, node, 6)
        relent = refusing("bitcoin")
        outside, nobody = node.new_address(), node.new_address()
        raised, one = refused(to=outside)
        taken_back, other = refused(to=nobody)
        assert desk.case(withdrawal_id=raised.id, now=timezone.now()).verbs == ("bump", "cancel_on_chain")
        tomorrow = timezone.now() + timedelta(days=1)
        assert Withdrawal.objects.filter(desk.stuck(now=tomorrow)).count() == 2
        assert bumping._overdue(now=tomorrow) == [one.id, other.id]
        assert bumping._overdue(now=timezone.now()) == []
        relent()
        deed = {"actor_id": STAFF, "reason": "no node takes it", "now": timezone.now()}
        approving.bump(withdrawal_id=raised.id, **deed)
        approving.cancel_on_chain(withdrawal_id=taken_back.id, **deed)
        assert state(raised) == "signed"  # the later version is with the signer; the first is still all there is
        all_are([raised, taken_back], "broadcast")
        for payout, kind in ((one, "bump"), (other, "cancel")):
            assert broadcast(payout.versions.get(number=2).id).kind == kind
        final(house, node)
        assert [node.received(address, confirmations=1) for address in (outside, nobody)] == [TENTH, 0]
        assert (state(raised), state(taken_back)) == ("final", "failed")
        assert (holds.get(id=raised.id).state, holds.get(id=taken_back.id).state) == ("posted", "voided")
        assert exact(house)


def test_where_nodes_replace_nothing_what_none_of_them_took_is_replaced_all_the_same(
    signing_house, chains, litecoind, refusing
):
    house = signing_house
    chains(litecoin=litecoind)
    house.scan("litecoin")
    litecoind.send(house.hot("litecoin"), 3 * COIN)
    litecoind.send(house.address(ALICE, "LTC", "litecoin"), 2 * COIN)
    mine(house, litecoind, 12, network="litecoin")
    relent = refusing("litecoin")
    outside = litecoind.new_address()
    view, payout = refused("litecoin", "1.5", outside)
    relent()
    version = broadcast(bumping.bump(payout_id=payout.id, now=timezone.now()))
    assert (version.payout_id, version.kind) == (payout.id, "bump")  # a child would have no parent there
    payouts.advance_all(now=timezone.now())
    final(house, litecoind, network="litecoin")
    assert state(view) == "final"
    assert litecoind.received(outside, confirmations=1) == 3 * COIN // 2
    assert exact(house, "litecoin")
