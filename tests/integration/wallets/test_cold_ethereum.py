"""Ether and a token go to a cold account and come back by a device's signature, on a real anvil."""

from __future__ import annotations

import json
import os

import pytest
from django.utils import timezone
from trezorlib.client import get_default_client, get_default_session

from config.regtest import Anvil
from custody.signers import trezor
from exchange.assets.services import networks
from exchange.compliance.models import SolvencyAsset
from exchange.compliance.services import solvency
from exchange.ledger import reconciliation
from exchange.ledger.selectors import stops
from tests.integration.wallets.cold_house import BERT, bring, file_of, open_share, open_wallet, proposal, settled
from tests.trezor.device import SoftwareTrezor
from wallets import nodes
from wallets.chains.evm import account
from wallets.chains.evm import payout as evm
from wallets.models import Address, Deposit, Nonce, Payout
from wallets.services import cold, returns

ETH, USDT = 3, 4
ETHER, DOLLAR = 10**18, 10**6
DEEP = 70

pytestmark = [pytest.mark.node, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def node(signing_house, chains, tmp_path):
    with Anvil(folder=tmp_path / "node", persistent=False) as node:
        chains(ethereum=node)
        yield node


@pytest.fixture
def device():
    with SoftwareTrezor(passphrase=os.urandom(8).hex()) as one:
        yield one


@pytest.fixture
def house(signing_house, node, signer, device):
    """Ten ether and ten thousand dollars hot, and a cold account that the signer knows."""
    token = node.deploy("TestToken")
    networks.set_contract(asset="USDT", network="ethereum", contract=token, now=timezone.now())
    signer.allow_token(token)
    signing_house.token = token
    signing_house.scan("ethereum")
    hot = signing_house.hot("ethereum")
    node.send(hot, 10 * ETHER)
    node.transact("TestToken", token, "mint", [hot, 10_000 * DOLLAR])
    mine(signing_house, node, DEEP)
    session = get_default_session(get_default_client("bourse tests", device.path))
    text = f"[{device.fingerprint.hex()}/44h/60h/0h/0/0]{trezor.evm_address_of(session)}"
    open_wallet(text, network="ethereum")
    signer.custody("cold", "add", "ethereum", text)
    return signing_house


def mine(house, node, count=1):
    node.mine(count)
    return house.scan("ethereum")


def exact(house):
    report = reconciliation.run(now=timezone.now())
    assert (report.mismatches, report.surpluses, report.unreachable) == ((), (), ()) and house.sums_to_zero()
    keys = [bytes(script) for script in Address.objects.filter(network_id=3).values_list("script", flat=True)]
    chain = nodes.chain("ethereum")
    held = {ETH: chain.holdings(keys).amount, USDT: chain.holdings(keys, contract=house.token).amount}
    return held == {asset: -house.total("chain_wallet", asset) for asset in held}


def by_device(device, content):
    """What `custody sign --trezor` writes."""
    body = json.loads(content)
    session = get_default_session(get_default_client("bourse tests", device.path))
    raw = trezor.sign_evm(session, evm.from_json(body["unsigned"]), account.parse(body["account"]).path)
    return json.dumps({"raw": "0x" + raw.hex()}).encode()


def to_the_end(house, node, payout_id):
    settled(payout_id, "broadcast")
    mine(house, node, DEEP)
    payout = Payout.objects.get(pk=payout_id)
    assert (payout.state, payout.succeeded) == ("final", True)
    return payout


def test_ether_and_a_token_go_cold_and_come_back(house, node, device):
    open_share("20", "1", "0.5", asset="ETH", network="ethereum")
    open_share("30", "100", "50", asset="USDT", network="ethereum")
    for _ in range(2):  # one nonce at a time
        for move in cold.balance(now=timezone.now()):
            if move.payout_id:
                to_the_end(house, node, move.payout_id)
    holder = Address.objects.get(purpose="cold")
    assert node.balance(holder.address) == 8 * ETHER
    assert node.read("TestToken", house.token, "balanceOf", holder.address) == 7_000 * DOLLAR
    assert all(move.payout_id is None for move in cold.balance(now=timezone.now())) and exact(house)

    payout_id = proposal("3", asset="ETH", network="ethereum")
    # A second one waits: its nonce would hang above this one's.
    with pytest.raises(returns.ProposalImpossible, match="one nonce at a time"):
        proposal("1", asset="ETH", network="ethereum")
    carried = file_of(payout_id)
    unsigned = json.loads(carried)["unsigned"]
    for wrong, why in [
        (b"{}", "no signature"),
        (carried, "no signature"),
        (b"0x00", "annot be compared"),
        (by_device(device, altered(carried, nonce=unsigned["nonce"] + 1)), "those that were asked for"),
    ]:
        with pytest.raises(returns.FileRefused, match=why):
            bring(payout_id, wrong)
    assert bring(payout_id, by_device(device, carried)).missing == 0
    to_the_end(house, node, payout_id)
    hot = house.hot("ethereum")
    assert f"Send {3 * ETHER} to {hot} with 0 bytes of data" in device.screens

    payout_id = proposal("500", asset="USDT", network="ethereum")
    bring(payout_id, by_device(device, file_of(payout_id)))
    to_the_end(house, node, payout_id)
    assert f"Send {500 * DOLLAR} of token {house.token} to {hot}" in device.screens
    assert node.read("TestToken", house.token, "balanceOf", hot) == 3_500 * DOLLAR and exact(house)

    payout_id = proposal("1", asset="ETH", network="ethereum")
    returns.cancel(payout_id=payout_id, reason="not needed", actor_id=BERT, now=timezone.now())
    assert not Nonce.objects.filter(payout_id=payout_id, released_at=None).exists()
    payout_id = proposal("all", asset="ETH", network="ethereum")
    bring(payout_id, by_device(device, file_of(payout_id)))
    to_the_end(house, node, payout_id)
    assert exact(house)
    solvency.check(now=timezone.now())
    seen = SolvencyAsset.objects.filter(asset_id=ETH).latest("id")
    assert (seen.cold, seen.verdict) == (node.balance(holder.address), "covered")


def altered(content, **fields):
    body = json.loads(content)
    body["unsigned"] |= fields
    return json.dumps(body).encode()


def test_a_way_back_that_is_sent_elsewhere_is_ours_even_after_it_was_called_back(house, node):
    """Here the account's key signs in the node, with gas of its own choice: the txid is none that we could know."""
    open_share("20", "1", "0.5", asset="ETH", network="ethereum")
    (move,) = [each for each in cold.balance(now=timezone.now()) if each.payout_id]
    to_the_end(house, node, move.payout_id)
    holder = Address.objects.get(purpose="cold").address
    node.rpc("anvil_impersonateAccount", holder)
    for called_back in (True, False):
        payout_id = proposal("2", asset="ETH", network="ethereum")
        unsigned = json.loads(file_of(payout_id))["unsigned"]
        if called_back:
            returns.cancel(payout_id=payout_id, reason="not needed", actor_id=BERT, now=timezone.now())
        sent = {"from": holder, "to": unsigned["to"], "value": hex(int(unsigned["value"])), "gas": hex(30_000)}
        txid = node.rpc("eth_sendTransaction", sent)
        mine(house, node, DEEP)
        payout = Payout.objects.get(pk=payout_id)
        assert (payout.state, payout.succeeded, payout.txid) == ("final", True, txid)
        assert not stops.is_stopped("withdrawals")
        assert not Deposit.objects.filter(txid=txid).exists()  # coins that changed their place are no capital
        assert exact(house)
    # The same nonce for another call is somebody else's hand.
    proposal("1", asset="ETH", network="ethereum")
    node.send(node.accounts[5], ETHER, sender=holder)
    mine(house, node)
    assert stops.is_stopped("withdrawals")
