"""What a proposal of cold coins pays: to the vbyte for the signatures it will have, and never a satoshi from nowhere."""

from __future__ import annotations

import os

import pytest
from trezorlib.client import get_default_client, get_default_session

from custody.signers import psbt, psbt_view, trezor
from tests import cold_wallets
from tests.cold_kit import HOT, REGTEST, FakeCoins
from tests.trezor.device import SoftwareTrezor
from wallets.chains.protocol import DustOutput, InsufficientCoins
from wallets.chains.utxo import cold_payout, descriptors, payout, transaction
from wallets.chains.utxo.payout import Change

RATE = 7_000
TO = Change(HOT, "m/84'/1'/1'/0/0")
# The last is not worth the bytes that spending it takes.
AMOUNTS = (30_000_000, 25_000_000, 5_000_000, 2_000, 50)


@pytest.fixture(scope="module")
def devices():
    with SoftwareTrezor(passphrase=os.urandom(8).hex()) as one, SoftwareTrezor(passphrase=os.urandom(8).hex()) as two:
        yield one, two


def a_wallet(form, devices):
    signers = devices if "wsh" in form else devices[:1]
    keys = [cold_wallets.key(device.root, form) for device in signers]
    text = cold_wallets.descriptor(form, keys, threshold=len(keys))
    return FakeCoins(descriptors.parse(text, REGTEST), amounts=AMOUNTS), signers


def build(coins, amount, rate=RATE):
    branch = coins.descriptor.change_branch
    change = Change(coins.descriptor.address(branch, 0).text, f"cold/{branch}/0")
    return cold_payout.build(
        descriptor=coins.descriptor, coins=coins.coins, destination=TO, change=change, amount=amount, fee_rate=rate
    )


@pytest.mark.parametrize("amount", [40_000_000, None])
@pytest.mark.parametrize("form", ["wpkh", "sh-wpkh", "tr", "wsh", "sh-wsh"])
def test_the_fee_is_reckoned_for_the_signatures_that_come(devices, form, amount):
    coins, signers = a_wallet(form, devices)
    unsigned = build(coins, amount)
    wanted = psbt.Spending(unsigned, coins.descriptor)
    data = psbt.make(wanted, previous=coins.previous, note={"network": "bitcoin regtest"})
    for device in signers:
        session = get_default_session(get_default_client("bourse tests", device.path))
        data = trezor.sign_psbt(session, psbt_view.look(data, REGTEST), REGTEST)
    size = transaction.decode(psbt.finalise(wanted, psbt.signatures(data, wanted))).vsize
    # Signatures may come out a few bytes shorter than they can be, never longer.
    assert payout.fee_of(size, RATE) <= unsigned.fee <= payout.fee_of(size + 3 * len(unsigned.inputs), RATE)
    assert unsigned.outputs[0].address == HOT
    assert all(output.path.startswith("cold/") for output in unsigned.outputs[1:])
    if amount is None:
        assert len(unsigned.outputs) == 1 and len(unsigned.inputs) == len(AMOUNTS) - 1
    else:
        assert unsigned.outputs[0].amount == amount and len(unsigned.inputs) == 2


def test_what_cannot_be_paid_is_said(devices):
    coins, _ = a_wallet("wpkh", devices)
    for amount in (sum(AMOUNTS), sum(AMOUNTS) - 10):
        with pytest.raises(InsufficientCoins):
            build(coins, amount)
    with pytest.raises(DustOutput):
        build(coins, 100)
    with pytest.raises(InsufficientCoins):
        build(coins, None, rate=10**9)
