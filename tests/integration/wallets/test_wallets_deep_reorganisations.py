"""Reorganisations of 1, 3 and 20 blocks on real nodes: through a credit, the spending of it, and a withdrawal of ours."""

from __future__ import annotations

import itertools

import pytest
from django.utils import timezone

from config.regtest import Bitcoind
from exchange.assets.models import AssetNetwork, ConfirmationTier
from exchange.ledger import reconciliation
from exchange.ledger import selectors as ledger
from exchange.ledger.selectors import holds
from wallets import nodes, selectors
from wallets.models import Address, Payout
from wallets.services import payouts, withdrawals

ALICE, BTC, COIN = 101, 1, 10**8
TENTH = COIN // 10
DEPTHS = (1, 3, 20)
KEYS = itertools.count()

pytestmark = [pytest.mark.node, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def one_deep(db):
    """Everything is final after one block, so that a reorganisation always takes back what was believed."""
    ConfirmationTier.objects.all().delete()
    AssetNetwork.objects.update(confirmations=1)


@pytest.fixture
def node(chains, bitcoind):
    chains(bitcoin=bitcoind)
    yield bitcoind
    bitcoind.mine(1)


def leave_out(node, txid, depth, *, waits=True):
    """The last `depth` blocks are replaced by as many and one, none of which holds the transaction; then it waits again."""
    raw = node.wallet("gettransaction", txid)["hex"] if waits else ""
    node.invalidate(node.rpc("getblockhash", node.height() - depth + 1))
    node.rpc("prioritisetransaction", txid, 0, -COIN)
    node.mine(depth + 1)
    node.rpc("prioritisetransaction", txid, 0, COIN)
    if waits and txid not in node.rpc("getrawmempool"):
        node.rpc("sendrawtransaction", raw)  # so deep, what it spends was not mature for a while


@pytest.mark.parametrize("depth", DEPTHS)
def test_through_a_credit(house, one_deep, node, depth):
    house.scan("bitcoin")
    txid = node.send(house.address(ALICE, "BTC", "bitcoin"), COIN)
    node.mine(depth)
    house.scan("bitcoin")
    assert house.balance(ALICE, BTC) == COIN
    leave_out(node, txid, depth)
    assert house.scan("bitcoin").reversed == 1
    assert house.balance(ALICE, BTC) == house.total("chain_wallet", BTC) == 0
    assert selectors.deposits(ALICE)[0].reversed_at is not None
    node.mine(1)
    assert house.scan("bitcoin").credited == 1
    assert house.balance(ALICE, BTC) == -house.total("chain_wallet", BTC) == COIN
    assert house.sums_to_zero()


@pytest.mark.parametrize("depth", DEPTHS)
def test_through_the_spending_of_the_credited_coins(house, one_deep, node, spend, depth):
    house.scan("bitcoin")
    txid = node.send(house.address(ALICE, "BTC", "bitcoin"), COIN)
    node.mine(depth)
    house.scan("bitcoin")
    spend(ALICE, BTC, COIN - 5)
    leave_out(node, txid, depth)
    assert house.scan("bitcoin").reversed == 1
    assert house.balance(ALICE, BTC) == 0
    assert ledger.receivables(owner_id=ALICE) == {BTC: COIN - 5}
    assert ledger.is_frozen(owner_id=ALICE)
    node.mine(1)
    house.scan("bitcoin")
    assert house.balance(ALICE, BTC) == 5
    assert not any(ledger.receivables(owner_id=ALICE).values())
    assert not ledger.is_frozen(owner_id=ALICE)
    assert house.sums_to_zero()


def test_through_withdrawals_of_ours(signing_house, one_deep, chains, tmp_path):
    """One chain, three withdrawals: each is final, loses its block and those above, and is mined again; paid once each."""
    house = signing_house
    with Bitcoind(folder=tmp_path / "node") as node:
        chains(bitcoin=node)
        house.scan("bitcoin")
        for _ in DEPTHS:
            node.send(house.hot("bitcoin"), COIN)
        node.send(house.address(ALICE, "BTC", "bitcoin"), COIN)
        node.mine(21)  # deeper than what will be reorganised away
        house.scan("bitcoin")
        for depth in DEPTHS:
            outside = node.new_address()
            view = withdrawals.request(
                user_id=ALICE, asset="BTC", network="bitcoin", address=outside, amount="0.1",
                idempotency_key=f"deep-{next(KEYS)}", now=timezone.now(),
            )  # fmt: skip
            txid = house.advance(ALICE, view.id, "broadcast").txid
            node.mine(depth)
            house.scan("bitcoin")
            assert selectors.withdrawal(ALICE, view.id).state == "final"
            leave_out(node, txid, depth, waits=False)
            house.scan("bitcoin")
            payout = Payout.objects.get(txid=txid)
            assert (payout.state, payout.block_height) == ("final", None)
            payouts.advance_all(now=timezone.now())
            node.mine(21)
            house.scan("bitcoin")
            payout.refresh_from_db()
            assert (payout.state, payout.txid) == ("final", txid)
            assert payout.block_height is not None
            assert node.received(outside, confirmations=1) == TENTH
            assert holds.get(id=view.id).state != "pending"
        report = reconciliation.run(now=timezone.now())
        assert (report.mismatches, report.surpluses) == ((), ())
        assert house.sums_to_zero()
        scripts = [bytes(script) for script in Address.objects.filter(network_id=1).values_list("script", flat=True)]
        assert -house.total("chain_wallet", BTC) == nodes.chain("bitcoin").holdings(scripts).amount
