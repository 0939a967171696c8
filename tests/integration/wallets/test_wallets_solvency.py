"""Solvency on a real node: coins that another hand moves are missed at once, in the mempool already; a silent node is no yes."""

from __future__ import annotations

import os

import pytest
from django.utils import timezone

from custody.signers import psbt
from exchange.compliance.models import SolvencyAsset, SolvencyLook
from exchange.compliance.services import solvency
from exchange.core.ids import uuid7
from exchange.ledger import reconciliation
from exchange.ledger import selectors as ledger
from exchange.ledger.journal import Entry, Transfer
from exchange.ledger.services import accounts, transfers
from tests import cold_wallets as descriptors_of
from tests.integration.wallets.cold_house import BTC, COIN, fund_cold, open_wallet, signed_by
from tests.trezor.device import SoftwareTrezor
from wallets.chains.utxo.payout import Coin as Input
from wallets.chains.utxo.payout import Output, UnsignedUtxo
from wallets.models import Coin
from wallets.services import cold_wallets

ALICE = 101

pytestmark = [pytest.mark.node, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def node(chains, bitcoind, monkeypatch):
    """The session's node; the banks and the other networks are looked at elsewhere."""
    chains(bitcoin=bitcoind)
    only = {"wallets:bitcoin": reconciliation._outside_sources["wallets:bitcoin"]}
    monkeypatch.setattr(reconciliation, "_outside_sources", only)
    return bitcoind


@pytest.fixture
def device():
    with SoftwareTrezor(passphrase=os.urandom(8).hex()) as one:
        yield one


@pytest.fixture
def wallet(house, node, device):
    """Two coins in the drawer, and Alice to whom they are owed, to the satoshi."""
    house.scan("bitcoin")
    wallet = open_wallet(descriptors_of.descriptor("wpkh", [descriptors_of.key(device.root, "wpkh")]))
    fund_cold(house, node, wallet, COIN, COIN // 2)
    now = timezone.now()
    capital = accounts.open(kind="house_capital", asset_id=BTC, label="", now=now)
    alice = accounts.open_customer(owner_id=ALICE, asset_ids=[BTC], now=now)[BTC]
    entries = (Entry(capital, -COIN * 3 // 2), Entry(alice, COIN * 3 // 2))
    transfers.post(transfers=[Transfer(id=uuid7(), kind="trade", entries=entries)], now=now)
    return wallet


def look():
    solvency.check(now=timezone.now())
    return SolvencyLook.objects.latest("id"), SolvencyAsset.objects.filter(asset_id=BTC).latest("id")


def test_a_coin_that_another_hand_moves_is_missed_before_any_block_has_it(house, node, device, wallet):
    whole, btc = look()
    assert (whole.verdict, btc.owed, btc.cold, btc.seen) == ("covered", COIN * 3 // 2, COIN * 3 // 2, COIN * 3 // 2)
    row = Coin.objects.get(amount=COIN, address__cold=wallet)
    taken = Input(row.txid, row.vout, COIN, bytes(row.address.script), f"cold/0/{row.address.index}")
    away = Output(node.rpc("getnewaddress"), COIN - 1_000, withdrawal_id="none of ours")
    theft = psbt.Spending(UnsignedUtxo("bitcoin", (taken,), (away,)), cold_wallets.descriptor_of(wallet))
    previous = {row.txid: bytes.fromhex(node.rpc("getrawtransaction", row.txid))}
    data = signed_by(device, psbt.make(theft, previous=previous, note={"network": "bitcoin regtest"}))
    node.rpc("sendrawtransaction", psbt.finalise(theft, psbt.signatures(data, theft)).hex())
    whole, btc = look()
    assert (whole.verdict, btc.cold, btc.alarm) == ("short", COIN // 2, "short")
    assert ledger.stops.is_stopped("withdrawals")
    node.mine(1)


@pytest.mark.parametrize("forged", ["amount", "owner"])
def test_a_coin_that_only_our_own_index_knows_covers_nothing(house, node, wallet, owner_connection, forged):
    coin = Coin.objects.get(amount=COIN // 2, address__cold=wallet)
    with owner_connection.cursor() as cursor:
        if forged == "amount":
            cursor.execute("UPDATE wallets_coin SET amount = amount * 3 WHERE id = %s", [coin.id])
        else:  # somebody else's coin, called ours
            unspent = node.rpc("listunspent", 1)[0]
            cursor.execute(
                "UPDATE wallets_coin SET txid = %s, vout = %s WHERE id = %s",
                [unspent["txid"], unspent["vout"], coin.id],
            )
    owner_connection.commit()
    _, btc = look()
    seen = COIN * 3 // 2 if forged == "amount" else COIN
    assert (btc.seen, btc.verdict) == (seen, "covered" if seen == btc.owed else "short")


def test_a_node_that_does_not_answer_leaves_it_unknown(house, node, wallet, settings):
    settings.CHAINS = {**settings.CHAINS, "bitcoin": {**settings.CHAINS["bitcoin"], "url": "http://127.0.0.1:9"}}
    whole, btc = look()
    assert (whole.verdict, whole.unreachable) == ("unknown", ["wallets:bitcoin"])
    assert (btc.verdict, btc.seen, btc.unseen) == ("unknown", 0, COIN * 3 // 2)
    assert not ledger.stops.is_stopped("withdrawals")
