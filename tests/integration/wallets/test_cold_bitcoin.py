"""Coins go cold by themselves and come back by people's hands, on a real node: signer, device, files, books to the satoshi."""

from __future__ import annotations

import base64
import os
import time
from datetime import timedelta

import pytest
from django.utils import timezone
from trezorlib.client import get_default_client, get_default_session

from custody import cold_addresses
from custody.signers import psbt_view, trezor
from exchange.compliance.models import SolvencyAsset
from exchange.compliance.services import solvency
from exchange.ledger import reconciliation
from exchange.ledger import selectors as ledger
from exchange.outbox.models import Event
from tests import cold_wallets as descriptors_of
from tests.trezor.device import SoftwareTrezor
from wallets import nodes
from wallets.chains.utxo.parameters import parameters
from wallets.models import Address, Coin, ColdProposal, ColdWallet, HotLevel, Payout, PayoutVersion, Reservation
from wallets.services import cold, cold_wallets, payouts, returns, shares

BTC, COIN = 1, 10**8
ANNA, BERT = 501, 502  # two members of staff
REGTEST = parameters("bitcoin", "regtest")

pytestmark = [pytest.mark.node, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def devices():
    """Two devices that share no seed."""
    with SoftwareTrezor(passphrase=os.urandom(8).hex()) as one, SoftwareTrezor(passphrase=os.urandom(8).hex()) as two:
        yield one, two


@pytest.fixture
def node(chains, bitcoind):
    """The session's node: every key here, the signer's too, is new to its chain."""
    chains(bitcoin=bitcoind)
    return bitcoind


def open_wallet(text, *, name="Drawer"):
    """Proposed by one, approved by the other, who reads the first address off the device."""
    wallet_id = cold_wallets.propose(network="bitcoin", name=name, text=text, actor_id=ANNA, now=timezone.now())
    typed = cold_wallets.first_address(ColdWallet.objects.get(pk=wallet_id))[-8:]
    cold_wallets.approve(wallet_id=wallet_id, typed=typed, actor_id=BERT, now=timezone.now())
    return ColdWallet.objects.get(pk=wallet_id)


def open_share(percent, floor, least="0.05"):
    share_id = shares.propose(
        asset="BTC", network="bitcoin", percent=percent, floor=floor, least=least, actor_id=ANNA, now=timezone.now()
    )
    shares.approve(share_id=share_id, actor_id=BERT, now=timezone.now())


def mine(house, node, count=1):
    node.mine(count)
    return house.scan("bitcoin")


def settled(payout_id, state, *, seconds=60):
    """Runs the workers' job until the payout is in this state."""
    deadline = time.monotonic() + seconds
    while True:
        payouts.advance_all(now=timezone.now())
        payout = Payout.objects.get(pk=payout_id)
        if payout.state == state:
            return payout
        assert time.monotonic() < deadline, (payout.state, list(payout.versions.values("refusal", "last_error")))
        time.sleep(0.05)


def proposal(amount, **more):
    payout_id = returns.propose(
        asset="BTC", network="bitcoin", amount=amount, actor_id=ANNA, now=timezone.now(), **more
    )
    returns.approve(payout_id=payout_id, actor_id=BERT, now=timezone.now())
    return payout_id


def signed_by(device, content):
    session = get_default_session(get_default_client("bourse tests", device.path))
    return trezor.sign_psbt(session, psbt_view.look(content, REGTEST), REGTEST)


def bring(payout_id, content):
    return returns.import_signed(payout_id=payout_id, content=content, actor_id=BERT, now=timezone.now())


def file_of(payout_id):
    return returns.export(payout_id=payout_id, actor_id=ANNA, now=timezone.now()).content


def topics(prefix):
    return list(Event.objects.filter(topic__startswith=prefix).order_by("id").values_list("topic", flat=True))


def exact(house):
    """The books sum to zero and equal, to the satoshi, what the node holds at our addresses, hot and cold."""
    report = reconciliation.run(now=timezone.now())
    assert (report.mismatches, report.surpluses) == ((), ()) and "wallets:bitcoin" not in report.unreachable
    assert house.sums_to_zero()
    scripts = [bytes(script) for script in Address.objects.filter(network_id=1).values_list("script", flat=True)]
    return -house.total("chain_wallet", BTC) == nodes.chain("bitcoin").holdings(scripts).amount


def test_the_surplus_goes_cold_by_itself_and_a_device_brings_it_back(signing_house, node, signer, devices):
    device = devices[0]
    text = descriptors_of.descriptor("wpkh", [descriptors_of.key(device.root, "wpkh")])
    signing_house.scan("bitcoin")
    for _ in range(2):
        node.send(signing_house.hot("bitcoin"), COIN)
    mine(signing_house, node, 6)
    wallet = open_wallet(text)
    open_share("10", "0.1")
    # The signer knows this wallet only once somebody has said so at its own machine.
    (refused,) = cold.balance(now=timezone.now())
    settled(refused.payout_id, "released")
    assert "cold_unknown" in PayoutVersion.objects.get(payout_id=refused.payout_id).refusal
    (waiting,) = cold.balance(now=timezone.now())
    assert waiting.payout_id is None and "the signer refused" in waiting.waiting
    assert topics("wallets.cold_held") == ["wallets.cold_held"] and not Reservation.objects.filter(released_at=None)

    known = cold_addresses.ColdAddresses().with_wallet(
        "bitcoin", nodes.rules("bitcoin"), cold_addresses.Wallet(text, "Drawer", "2026-11-20")
    )
    cold_addresses.write(signer.folder / "cold.json", known)
    (move,) = cold.balance(now=timezone.now() + cold.REFUSED_REST)
    settled(move.payout_id, "broadcast")
    assert (move.level.hot, move.level.cold, move.level.target) == (2 * COIN, 0, COIN // 5)
    # Nothing goes twice while this is under way.
    assert cold.balance(now=timezone.now())[0].payout_id is None
    mine(signing_house, node, 6)
    assert Payout.objects.get(pk=move.payout_id).state == "final"
    held = Coin.objects.get(address__purpose="cold")
    assert held.amount == COIN * 9 // 5 and held.address.address == cold_wallets.first_address(wallet)
    assert cold.balance(now=timezone.now())[0].payout_id is None  # what is left hot is its share
    assert exact(signing_house)
    solvency.check(now=timezone.now())
    seen = SolvencyAsset.objects.filter(asset_id=BTC).latest("id")
    assert (seen.cold, seen.verdict) == (COIN * 9 // 5, "covered")
    assert seen.hot + seen.cold == -signing_house.total("chain_wallet", BTC)

    payout_id = proposal("1")
    signed = signed_by(device, file_of(payout_id))
    version = PayoutVersion.objects.get(payout_id=payout_id)
    assert f"Send {COIN} to {signing_house.hot('bitcoin')}" in device.screens
    progress = bring(payout_id, signed)
    assert (progress.missing, progress.signed_by) == (0, (device.fingerprint.hex(),))
    settled(payout_id, "broadcast")
    mine(signing_house, node, 6)
    back = Payout.objects.get(pk=payout_id)
    assert (back.state, back.txid, back.network_fee) == ("final", version.txid, int(version.unsigned["fee"]))
    (level,) = cold.balance(now=timezone.now())
    assert level.level.cold == COIN * 9 // 5 - COIN - back.network_fee
    assert exact(signing_house) and topics("wallets.deposit") == []


def fund_cold(house, node, wallet, *amounts):
    """Somebody sends to the cold wallet from outside: the house's own capital, at addresses of their own."""
    for amount in amounts:
        address = cold_wallets.next_address(wallet=wallet, now=timezone.now())
        node.send(address.address, amount)
        mine(house, node)
    mine(house, node, 6)


@pytest.fixture
def vault(house, node, devices):
    """A cold wallet of two keys, of which both must sign, with three coins in it."""
    house.scan("bitcoin")
    keys = [descriptors_of.key(device.root, "wsh") for device in devices]
    wallet = open_wallet(descriptors_of.descriptor("wsh", keys, threshold=2), name="Vault")
    fund_cold(house, node, wallet, COIN, COIN // 2, COIN // 4)
    assert (wallet.kind, wallet.threshold) == ("multisig", 2)
    return wallet


def test_two_of_two_files_one_after_the_other_and_nothing_else_is_taken(house, node, devices, vault):
    one, two = devices
    assert house.total("house_capital", BTC) == COIN * 7 // 4
    payout_id = proposal("1.2")
    carried = file_of(payout_id)
    by_one = signed_by(one, carried)
    other = proposal("0.1")
    before = ColdProposal.objects.get(payout_id=payout_id).psbt
    for wrong, why in [
        (b"no file at all", "neither a PSBT"),
        (carried, "no signature"),
        (carried[:-40], "ends too early"),
        (signed_by(one, file_of(other)), "other coins"),
        (by_one.replace(b"psbt\xff", b"psbt\xfe"), "neither a PSBT"),
    ]:
        with pytest.raises(returns.FileRefused, match=why):
            bring(payout_id, wrong)
    assert ColdProposal.objects.get(payout_id=payout_id).psbt == before  # nothing lost, nothing gained
    assert bring(payout_id, by_one).missing == 1
    with pytest.raises(returns.FileRefused, match="not here already"):
        bring(payout_id, by_one)
    assert settled(payout_id, "reserved").txid == ""
    # The second signs what the first has signed; it might as well have signed the bare file.
    progress = bring(payout_id, signed_by(two, file_of(payout_id)))
    assert progress.missing == 0 and set(progress.signed_by) == {one.fingerprint.hex(), two.fingerprint.hex()}
    with pytest.raises(returns.ProposalClosed):
        returns.cancel(payout_id=payout_id, reason="too late", actor_id=ANNA, now=timezone.now())
    settled(payout_id, "broadcast")
    mine(house, node, 6)
    assert Payout.objects.get(pk=payout_id).state == "final"
    returns.cancel(payout_id=other, reason="not needed any more", actor_id=ANNA, now=timezone.now())
    assert not Reservation.objects.filter(released_at=None, payout_id=other)
    assert exact(house)


def test_a_proposal_that_another_wallet_sends_is_recognised(house, node, devices, vault):
    one, two = devices
    payout_id = proposal("all")
    both = signed_by(two, signed_by(one, file_of(payout_id)))
    finished = node.rpc("finalizepsbt", base64.b64encode(both).decode())
    node.rpc("sendrawtransaction", finished["hex"])
    mine(house, node, 6)
    payout = Payout.objects.get(pk=payout_id)
    assert (payout.state, payout.succeeded) == ("final", True)
    assert not ledger.stops.is_stopped("withdrawals") and exact(house)
    with pytest.raises(returns.ProposalClosed):
        bring(payout_id, both)


def test_too_little_hot_is_told_once_with_what_should_come_back(house, node, vault):
    open_share("20", "0.3")
    for minutes in (0, 5, 10):
        (move,) = cold.balance(now=timezone.now() + timedelta(minutes=minutes))
        assert (move.level.low, move.level.wanted, move.payout_id) == (True, COIN * 35 // 100, None)
    assert topics("wallets.hot_low") == ["wallets.hot_low"]
    level = HotLevel.objects.get()
    assert (level.cold, level.hot, level.low_since is not None) == (COIN * 7 // 4, 0, True)
