"""A token that answers false instead of failing: its transaction succeeds, and nobody is paid."""

from __future__ import annotations

import pytest
from django.utils import timezone

from config.regtest import Anvil
from exchange.assets.services import networks
from exchange.ledger import selectors as ledger
from exchange.ledger.selectors import holds
from exchange.ledger.selectors.stops import Stopped
from wallets import selectors
from wallets.models import Movement, Payout, Withdrawal
from wallets.services import payouts, withdrawals

ALICE, USDT = 101, 4
ETHER, DOLLAR = 10**18, 10**6
DEEP = 14

pytestmark = [pytest.mark.node, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def node(signing_house, chains, tmp_path):
    with Anvil(folder=tmp_path / "node", persistent=False) as node:
        chains(ethereum=node)
        yield node


@pytest.fixture
def token(signing_house, node, signer):
    """Listed by mistake; a hot wallet full of it, and a thousand that are Alice's."""
    contract = node.deploy("FalseToken")
    networks.set_contract(asset="USDT", network="ethereum", contract=contract, now=timezone.now())
    signer.allow_token(contract)
    signing_house.scan("ethereum")
    hot, alice = signing_house.hot("ethereum"), signing_house.address(ALICE, "USDT", "ethereum")
    node.send(hot, 5 * ETHER)
    for to in (hot, alice):
        node.transact("FalseToken", contract, "mint", [to, 1_000 * DOLLAR])
    mine(signing_house, node, DEEP)
    return contract


def mine(house, node, count=1):
    node.mine(count)
    return house.scan("ethereum")


def ask(node, key):
    return withdrawals.request(
        user_id=ALICE, asset="USDT", network="ethereum", address=node.accounts[5], amount="100",
        idempotency_key=key, now=timezone.now(),
    )  # fmt: skip


def shut(node, token, whether):
    node.transact("FalseToken", token, "shutDown", [whether])
    node.mine()


def test_a_payment_that_a_token_answers_with_false_is_not_called_paid(signing_house, node, token):
    before = signing_house.balance(ALICE, USDT)
    first = ask(node, "first")
    signing_house.advance(ALICE, first.id, "broadcast")
    mine(signing_house, node, DEEP)
    assert selectors.withdrawal(ALICE, first.id).state == "final"
    assert not ledger.stops.is_stopped("withdrawals")
    paid = node.read("FalseToken", token, "balanceOf", node.accounts[5])
    assert paid == 100 * DOLLAR

    second = ask(node, "second")
    signing_house.advance(ALICE, second.id, "broadcast")
    node.rpc("anvil_setStorageAt", token, hex(5), "0x" + "00" * 31 + "01")  # it shuts while ours waits for a block
    assert node.read("FalseToken", token, "shut")
    txid = selectors.withdrawal(ALICE, second.id).txid
    third = ask(node, "third")
    mine(signing_house, node, DEEP)
    assert node.receipt(txid)  # the chain calls it a success
    assert selectors.withdrawal(ALICE, second.id).state == "failed"
    assert holds.get(id=second.id).state != "pending"
    assert node.read("FalseToken", token, "balanceOf", node.accounts[5]) == paid
    payout = Payout.objects.get(txid=txid)
    assert (payout.state, payout.succeeded) == ("final", False)
    assert not Movement.objects.filter(txid=txid, position="paid").exists()
    assert before - signing_house.balance(ALICE, USDT) < 200 * DOLLAR  # the second's money is hers again
    (stop,) = ledger.stops.active()
    assert (stop.scope, token in stop.reason) == ("withdrawals:USDT", True)
    the_others_go_on(signing_house, node, third)
    assert signing_house.sums_to_zero()


def the_others_go_on(house, node, third):
    """The stop is of the token alone: a request of it is refused, what waits of it waits, and ether leaves."""
    with pytest.raises(Stopped, match="Withdrawals of USDT are stopped"):
        ask(node, "fourth")
    node.send(house.hot("ethereum"), ETHER)
    node.send(house.address(ALICE, "ETH", "ethereum"), ETHER)
    mine(house, node, DEEP)
    view = withdrawals.request(
        user_id=ALICE, asset="ETH", network="ethereum", address=node.accounts[6], amount="0.1",
        idempotency_key="ether", now=timezone.now(),
    )  # fmt: skip
    house.advance(ALICE, view.id, "broadcast")
    waiting = selectors.withdrawal(ALICE, third.id)
    assert (waiting.state, waiting.waiting) == ("approved", "stopped")


def test_a_token_that_would_answer_with_false_is_not_asked(signing_house, node, token):
    shut(node, token, True)
    view = ask(node, "shut")
    payouts.advance_all(now=timezone.now())
    waiting = selectors.withdrawal(ALICE, view.id)
    assert (waiting.state, waiting.waiting) == ("approved", "node_refused")
    assert not Payout.objects.exists()
    shut(node, token, False)
    signing_house.scan("ethereum")
    Withdrawal.objects.update(tried_at=None)  # half a minute has passed
    signing_house.advance(ALICE, view.id, "broadcast")
