"""Coins go cold by themselves and come back by people's hands, on a real node: signer, device, files, books to the satoshi."""

from __future__ import annotations

import base64
import os
from datetime import timedelta

import pytest
from django.utils import timezone

from exchange.compliance.models import SolvencyAsset
from exchange.compliance.services import solvency
from exchange.ledger import selectors as ledger
from tests import cold_wallets as descriptors_of
from tests.integration.wallets.cold_house import (
    ANNA,
    BTC,
    COIN,
    bring,
    exact,
    file_of,
    fund_cold,
    mine,
    open_share,
    open_wallet,
    proposal,
    settled,
    signed_by,
    topics,
)  # fmt: skip
from tests.trezor.device import SoftwareTrezor
from wallets import faults
from wallets.models import Coin, ColdProposal, HotLevel, Payout, PayoutVersion, Reservation
from wallets.services import cold, cold_wallets, returns

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

    signer.custody("cold", "add", "bitcoin", text, "--label", "Drawer")
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


@pytest.fixture
def vault(house, node, devices):
    """A cold wallet of two keys, of which both must sign, with three coins in it."""
    house.scan("bitcoin")
    keys = [descriptors_of.key(device.root, "wsh") for device in devices]
    wallet = open_wallet(descriptors_of.descriptor("wsh", keys, threshold=2), name="Vault")
    fund_cold(house, node, wallet, COIN, COIN // 2, COIN // 4)
    assert (wallet.kind, wallet.threshold) == ("multisig", 2)
    return wallet


class Died(Exception):
    """The process that took the file in, at a point where it could end."""


def die_at(point):
    def passing(name):
        if name == point:
            raise Died

    return passing


def test_two_of_two_files_one_after_the_other_and_nothing_else_is_taken(house, node, devices, vault, monkeypatch):
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
    by_both = signed_by(two, file_of(payout_id))
    with monkeypatch.context() as dying, pytest.raises(Died):
        dying.setattr(faults, "passing", die_at("payout.keep.before_commit"))
        bring(payout_id, by_both)
    assert Payout.objects.get(pk=payout_id).state == "reserved" and returns.progress(payout_id).missing == 1
    progress = bring(payout_id, by_both)
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
