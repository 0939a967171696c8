"""Waiting Ether and token payments: raised under the same nonce, or taken back. At most one version is ever mined."""

from __future__ import annotations

import itertools

import pytest
from django.utils import timezone

from config.regtest import Anvil
from exchange.ledger import reconciliation
from exchange.ledger.selectors import holds
from tests.integration.wallets.coins_out import ALICE, all_are, broadcast, state
from wallets import nodes
from wallets.models import Address, Nonce, Payout
from wallets.services import bumping, withdrawals

ETH, ETHER, DEEP = 3, 10**18, 70
KEYS = itertools.count()

pytestmark = [pytest.mark.node, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def node(signing_house, chains, tmp_path):
    with Anvil(folder=tmp_path / "node", persistent=False) as node:
        chains(ethereum=node)
        yield node


@pytest.fixture
def house(signing_house, node):
    signing_house.scan("ethereum")
    node.send(signing_house.hot("ethereum"), 5 * ETHER)
    node.send(signing_house.address(ALICE, "ETH", "ethereum"), 2 * ETHER)
    mine(signing_house, node, DEEP)
    return signing_house


def mine(house, node, count=1):
    node.mine(count)
    return house.scan("ethereum")


def ask(node, amount="0.5"):
    return withdrawals.request(
        user_id=ALICE, asset="ETH", network="ethereum", address=node.accounts[5], amount=amount,
        idempotency_key=f"evm-bump-{next(KEYS)}", now=timezone.now(),
    )  # fmt: skip


def exact(house):
    report = reconciliation.run(now=timezone.now())
    assert (report.mismatches, report.surpluses, report.unreachable) == ((), (), ())
    keys = [bytes(script) for script in Address.objects.filter(network_id=3).values_list("script", flat=True)]
    return house.sums_to_zero() and nodes.chain("ethereum").holdings(keys).amount == -house.total("chain_wallet", ETH)


def test_a_waiting_payment_is_raised_or_taken_back_under_its_own_nonce(house, node, settings):
    """One house and one chain for all of it: to the signer a nonce belongs to one payment for ever."""
    receiver = node.accounts[5]
    before = node.balance(receiver)
    raised(house, node)
    assert node.balance(receiver) - before == ETHER // 2
    taken_back(house, node)
    assert node.balance(receiver) - before == ETHER // 2
    lowest_first(house, node, settings)
    assert node.balance(receiver) - before == ETHER // 2 + 3 * ETHER // 10
    assert list(Nonce.objects.order_by("nonce").values_list("nonce", flat=True)) == list(range(5))
    fees = sum(payout.network_fee for payout in Payout.objects.all())
    assert house.total("house_network_fees", ETH) == -fees
    assert exact(house)


def raised(house, node):
    view = ask(node)
    all_are([view], "broadcast")
    payout = Payout.objects.get()
    first = payout.versions.get()
    second = broadcast(bumping.bump(payout_id=payout.id, now=timezone.now()))
    assert second.unsigned["nonce"] == first.unsigned["nonce"]
    for fee in ("max_fee_per_gas", "max_priority_fee_per_gas"):
        assert int(second.unsigned[fee]) * 8 >= int(first.unsigned[fee]) * 9
    mine(house, node)
    assert (state(view), Payout.objects.get().txid) == ("confirmed", second.txid)
    mine(house, node, DEEP)
    assert state(view) == "final"


def taken_back(house, node):
    held = house.balance(ALICE, ETH)
    view = ask(node)
    all_are([view], "broadcast")
    payout = Payout.objects.get(withdrawals=view.id)
    back = broadcast(bumping.cancel(payout_id=payout.id, actor_id=900, now=timezone.now()))
    mine(house, node)
    assert (state(view), holds.get(id=view.id).state) == ("confirmed", "pending")
    assert reconciliation.run(now=timezone.now()).ok  # mined and not settled: explained, to the wei
    mine(house, node, DEEP)
    assert (state(view), holds.get(id=view.id).state) == ("failed", "voided")
    payout.refresh_from_db()
    assert (payout.txid, payout.succeeded, house.balance(ALICE, ETH)) == (back.txid, False, held)


def lowest_first(house, node, settings):
    """Of three that wait, the second and third wait for the first: only that one is helped, and never above the cap."""
    views = [ask(node, "0.1") for _ in range(3)]
    all_are(views, "broadcast")
    settings.WALLETS_BUMP_BLOCKS = 0
    first = Payout.objects.get(withdrawals=views[0].id)
    settings.WALLETS_FEE_CAP = {"evm": int(first.versions.get().fee)}  # the network is not named: its family's
    with pytest.raises(bumping.FeesTooHigh):
        bumping.bump(payout_id=first.id, now=timezone.now())
    assert bumping.bump_due(now=timezone.now()) == 0
    settings.WALLETS_FEE_CAP, settings.WALLETS_FEE_CAP_SHARE = {}, None
    with pytest.raises(bumping.NotBumpable, match="to spend"):  # more than the whole hot wallet
        bumping.bump(payout_id=first.id, fee_rate=10**15, now=timezone.now())
    assert bumping.bump_due(now=timezone.now()) == 1
    broadcast(first.versions.get(number=2).id)
    mine(house, node, DEEP)
    assert {state(view) for view in views} == {"final"}
