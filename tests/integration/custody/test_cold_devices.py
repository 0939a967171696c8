"""Cold coins move back with real signatures on a real node: software Trezors, a node's own wallet, files between them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from embit.psbt import PSBT
from trezorlib.client import get_default_client, get_default_session

from config.regtest import rpc
from custody.signers import psbt, psbt_file, psbt_view, trezor
from tests import cold_wallets
from tests.trezor.device import SoftwareTrezor
from wallets.chains.utxo import descriptors
from wallets.chains.utxo.parameters import parameters
from wallets.chains.utxo.payout import Coin, Output, UnsignedUtxo

pytestmark = pytest.mark.node
REGTEST = parameters("bitcoin", "regtest")
NOTE = {"network": "bitcoin regtest", "proposal": "a test"}
SENT, FEE = 40_000_000, 2_000
TREZORCTL = str(Path(sys.executable).with_name("trezorctl"))


@pytest.fixture
def devices():
    """Two devices that share no seed."""
    with SoftwareTrezor(passphrase=os.urandom(8).hex()) as one, SoftwareTrezor(passphrase=os.urandom(8).hex()) as two:
        yield one, two


def session_of(device):
    return get_default_session(get_default_client("bourse tests", device.path))


def fund(node, descriptor, *indexes, amount=30_000_000):
    """Confirmed coins at branch 0, and the transactions that made them."""
    coins, previous = [], {}
    for index in indexes:
        address = descriptor.address(0, index)
        txid = node.send(address.text, amount)
        raw = node.rpc("getrawtransaction", txid, True)
        vout = next(out["n"] for out in raw["vout"] if out["scriptPubKey"]["hex"] == address.key.hex())
        coins.append(Coin(txid, vout, amount, address.key, f"cold/0/{index}"))
        previous[txid] = bytes.fromhex(raw["hex"])
    node.mine()
    return tuple(coins), previous


def spending(node, descriptor, *, indexes=(0, 7), sent=SENT, fee=FEE):
    """What pays `sent` to somebody and returns the rest to the wallet's change branch."""
    coins, previous = fund(node, descriptor, *indexes)
    hot = node.rpc("getnewaddress")
    change = descriptor.address(descriptor.change_branch, 3)
    rest = sum(coin.amount for coin in coins) - sent - fee
    outputs = (
        Output(hot, sent, path="m/84'/1'/1'/0/0"),
        Output(change.text, rest, path=f"cold/{descriptor.change_branch}/3"),
    )
    wanted = psbt.Spending(UnsignedUtxo("bitcoin", coins, outputs), descriptor)
    return wanted, psbt.make(wanted, previous=previous, note=NOTE)


def signed_by(device, data):
    return trezor.sign_psbt(session_of(device), psbt_view.look(data, REGTEST), REGTEST)


def sent_and_mined(node, raw):
    txid = node.rpc("sendrawtransaction", raw.hex())
    node.mine()
    assert node.rpc("getrawtransaction", txid, True)["confirmations"] == 1
    return txid


@pytest.mark.parametrize("form", ["wpkh", "sh-wpkh", "tr"])
def test_a_single_device_signs_what_it_showed(bitcoind, devices, form):
    device = devices[0]
    wallet = descriptors.parse(cold_wallets.descriptor(form, [cold_wallets.key(device.root, form)]), REGTEST)
    wanted, data = spending(bitcoind, wallet)
    assert not PSBT.parse(data).inputs[0].partial_sigs  # another library reads it, too
    back = signed_by(device, data)
    assert device.screens == [
        f"Send {SENT} to {wanted.unsigned.outputs[0].address}",
        f"Total {SENT + FEE} including fee {FEE}",
    ]
    found = psbt.signatures(back, wanted)
    assert psbt.missing(wanted, found) == 0 and psbt.signers(wanted, found) == (device.fingerprint.hex(),)
    raw = psbt.finalise(wanted, found)
    assert sent_and_mined(bitcoind, raw) == wanted.txid()
    # The finished transaction itself is a file that can be brought, in any of its spellings.
    for spelling in (raw, raw.hex().encode()):
        assert psbt.finalise(wanted, psbt.signatures(spelling, wanted)) == raw


class NodeWallet:
    """A co-signer inside the node. It is loaded only while it works: the node's other users name no wallet."""

    def __init__(self, node):
        self.node = node
        self.name = f"cosigner-{os.urandom(6).hex()}"
        node.rpc("createwallet", self.name)
        try:
            listed = self._call("listdescriptors")["descriptors"]
        finally:
            node.rpc("unloadwallet", self.name)
        text = next(each["desc"] for each in listed if each["desc"].startswith("wpkh(") and not each["internal"])
        self.key = text[len("wpkh(") :].partition("/0/*")[0] + "/<0;1>/*"

    def sign(self, data):
        self.node.rpc("loadwallet", self.name)
        try:
            return self._call("walletprocesspsbt", psbt_file.read(data).text())
        finally:
            self.node.rpc("unloadwallet", self.name)

    def _call(self, method, *parameters_of_it):
        return rpc.call(f"{self.node.url}/wallet/{self.name}", method, list(parameters_of_it))


@pytest.mark.parametrize("form", ["wsh", "sh-wsh"])
def test_two_of_three_a_device_each_then_the_node_s_own_wallet(bitcoind, devices, form):
    one, two = devices
    third = NodeWallet(bitcoind)
    keys = [cold_wallets.key(one.root, form), cold_wallets.key(two.root, form), third.key]
    wallet = descriptors.parse(cold_wallets.descriptor(form, keys, threshold=2), REGTEST)
    wanted, data = spending(bitcoind, wallet)
    by_device = signed_by(one, data)
    assert one.screens[0].startswith(f"Send {SENT} to ") and len(one.screens) == 2  # the change is no payment
    found = psbt.signatures(by_device, wanted)
    assert psbt.missing(wanted, found) == 1
    with pytest.raises(psbt.PsbtUnsigned, match="1 more must sign"):
        psbt.finalise(wanted, found)
    # The node's wallet signs the same unsigned file, in ignorance of the device.
    answer = third.sign(data)
    assert answer["complete"] is False
    others = psbt.signatures(answer["psbt"].encode(), wanted)
    both = psbt.combine(found, others)
    assert psbt.missing(wanted, both) == 0
    assert set(psbt.signers(wanted, both)) == {one.fingerprint.hex(), third.key[1:9]}
    # And in turn: what the first device signed, signed again by the second, is the other way to two of three.
    handed_on = psbt.signatures(signed_by(two, by_device), wanted)
    assert set(psbt.signers(wanted, handed_on)) == {one.fingerprint.hex(), two.fingerprint.hex()}
    assert bitcoind.rpc("testmempoolaccept", [psbt.finalise(wanted, handed_on).hex()])[0]["allowed"]
    # The node finishes what it signs second; its finished file is worth the same.
    finished = third.sign(by_device)
    assert finished["complete"] is True
    assert psbt.missing(wanted, psbt.signatures(finished["psbt"].encode(), wanted)) == 0
    sent_and_mined(bitcoind, psbt.finalise(wanted, both))


def test_the_node_finishes_a_file_that_a_device_signed(bitcoind, devices):
    device = devices[0]
    wallet = descriptors.parse(cold_wallets.descriptor("wpkh", [cold_wallets.key(device.root, "wpkh")]), REGTEST)
    wanted, data = spending(bitcoind, wallet)
    back = signed_by(device, data)
    theirs = bitcoind.rpc("finalizepsbt", psbt_file.read(back).text())
    assert theirs["complete"] and bytes.fromhex(theirs["hex"]) == psbt.finalise(wanted, psbt.signatures(back, wanted))
    assert bitcoind.rpc("analyzepsbt", psbt_file.read(data).text())["fee"] * 10**8 == FEE


def test_trezorctl_takes_the_software_device_for_one(devices):
    device = devices[0]
    run = subprocess.run(
        [TREZORCTL, "-p", device.path, "btc", "get-address", "-c", "Regtest", "-t", "segwit", "-n", "m/84h/1h/0h/0/0"],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    wallet = descriptors.parse(cold_wallets.descriptor("wpkh", [cold_wallets.key(device.root, "wpkh")]), REGTEST)
    assert run.stdout.strip() == wallet.address(0, 0).text, run.stderr
