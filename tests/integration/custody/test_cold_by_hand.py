"""`manage.py custody sign` as a member of staff runs it: a process of its own, no database, a device on the wire."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from custody import by_hand
from custody.signers import psbt, psbt_file
from tests import cold_wallets
from tests.cold_kit import REGTEST, FakeCoins, account_file
from tests.trezor.device import SoftwareTrezor
from wallets.chains import registry
from wallets.chains.utxo import descriptors

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def device():
    with SoftwareTrezor(passphrase=os.urandom(8).hex()) as one:
        yield one


@dataclass
class Run:
    """What a run said, and why it wrote nothing ("" when it did)."""

    said: str
    why: str = ""


@pytest.fixture
def sign(monkeypatch):
    """The command's own code in this process; one test runs the process itself."""

    def run(*arguments, device=None, answer="yes"):
        monkeypatch.setenv("TREZOR_PATH", device.path if device is not None else "udp:127.0.0.1:9")
        parser = argparse.ArgumentParser()
        by_hand.add_arguments(parser)
        said: list[str] = []
        try:
            by_hand.run(vars(parser.parse_args([*map(str, arguments)])), say=said.append, ask=lambda _: answer)
        except by_hand.NotSigned as why:
            return Run("\n".join(said), str(why))
        return Run("\n".join(said))

    return run


@pytest.fixture
def coins(device):
    return FakeCoins(
        descriptors.parse(cold_wallets.descriptor("wpkh", [cold_wallets.key(device.root, "wpkh")]), REGTEST)
    )


def test_it_says_what_will_be_signed_asks_and_writes_a_new_file(tmp_path, device, coins, sign):
    wanted, data = coins.proposal()
    file = tmp_path / "return.psbt"
    file.write_bytes(data)
    # In an environment that holds nothing of the exchange's: no settings, no database, no keystore.
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TREZOR_PATH": device.path}
    run = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "custody", "sign", "--trezor", str(file)],
        env=environment, cwd=ROOT, input="yes\n", capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    pays, back = wanted.unsigned.outputs
    assert f"pays   0.40000000 BTC  to {pays.address}" in run.stdout
    assert f"to {back.address}  (proved: the same wallet's own)" in run.stdout
    assert "fee    0.00002000 BTC" in run.stdout and "Enough have signed." in run.stdout
    signed = tmp_path / "return.signed.psbt"
    assert psbt.missing(wanted, psbt.signatures(signed.read_bytes(), wanted)) == 0
    assert "stands already" in sign("--trezor", file, device=device).why


def test_without_a_yes_no_device_is_even_asked(tmp_path, device, coins, sign):
    file = tmp_path / "return.psbt"
    file.write_bytes(coins.proposal()[1])
    assert "Nothing was signed" in sign("--trezor", file, device=device, answer="no").why
    assert device.screens == [] and list(tmp_path.iterdir()) == [file]


def test_the_red_button_and_a_foreign_device_are_refusals(tmp_path, device, coins, sign):
    file = tmp_path / "return.psbt"
    file.write_bytes(coins.proposal()[1])
    device.refuse = "Send"
    assert "refused on the device" in sign("--trezor", file, "--yes", device=device).why
    with SoftwareTrezor(passphrase="somebody else's") as other:
        assert "has no key of this wallet" in sign("--trezor", file, "--yes", device=other).why
    assert list(tmp_path.iterdir()) == [file]


def test_files_of_several_signers_are_joined(tmp_path, device, sign):
    with SoftwareTrezor(passphrase=os.urandom(8).hex()) as other:
        keys = [cold_wallets.key(each.root, "wsh") for each in (device, other)]
        wallet = descriptors.parse(cold_wallets.descriptor("wsh", keys, threshold=2), REGTEST)
        wanted, data = FakeCoins(wallet).proposal()
        file = tmp_path / "return.psbt"
        file.write_bytes(data)
        for number, each in enumerate((device, other)):
            run = sign("--trezor", file, "--yes", "--out", tmp_path / f"{number}.psbt", device=each)
            assert not run.why and "1 more must sign." in run.said, run
    # One of them as another program's text.
    (tmp_path / "1.txt").write_text(psbt_file.read((tmp_path / "1.psbt").read_bytes()).text())
    run = sign("--psbt", tmp_path / "0.psbt", tmp_path / "1.txt", "--out", tmp_path / "both.psbt")
    assert not run.why and "Enough have signed." in run.said, run
    assert psbt.missing(wanted, psbt.signatures((tmp_path / "both.psbt").read_bytes(), wanted)) == 0


@pytest.mark.parametrize("legacy", [False, True])
def test_an_account_s_transaction_is_shown_and_signed(tmp_path, device, legacy, sign):
    unsigned, document = account_file(device, legacy=legacy)
    file = tmp_path / "return.json"
    file.write_text(json.dumps(document))
    run = sign("--trezor", file, "--yes", device=device)
    assert f"pays   1.5 of the chain's coin  to {unsigned.payment.address}" in run.said, run
    raw = json.loads((tmp_path / "return.signed.json").read_text())["raw"]
    rules = registry.rules("ethereum", chain_id=31337)
    assert rules.verify_signed(bytes.fromhex(raw[2:]), unsigned.to_json()).spends == (unsigned.spend_key,)


def test_without_a_device_it_says_so(tmp_path, coins, sign):
    file = tmp_path / "return.psbt"
    file.write_bytes(coins.proposal()[1])
    assert "No device answers" in sign("--trezor", file, "--yes").why


@pytest.fixture
def verify(monkeypatch):
    def run(text, device):
        monkeypatch.setenv("TREZOR_PATH", device.path)
        said: list[str] = []
        try:
            by_hand.verify({"wallet": text, "chain": "bitcoin regtest"}, say=said.append)
        except by_hand.NotSigned as why:
            return Run("\n".join(said), str(why))
        return Run("\n".join(said))

    return run


@pytest.mark.parametrize("form", ["wpkh", "sh-wpkh", "tr", "wsh", "sh-wsh"])
def test_the_device_shows_a_wallet_s_first_address_before_it_is_approved(device, verify, form):
    with SoftwareTrezor(passphrase=os.urandom(8).hex()) as other:
        keys = [cold_wallets.key(device.root, form)]
        if "wsh" in form:
            keys.append(cold_wallets.key(other.root, form))
        text = cold_wallets.descriptor(form, keys, threshold=len(keys))
        first = descriptors.parse(text, REGTEST).address(0, 0).text
        assert "is this wallet's first" in verify(text, device).said
        assert device.screens == [f"Receive address {first}"]
        if len(keys) == 1:
            assert "has no key of this wallet" in verify(text, other).why


def test_an_account_is_verified_by_its_device_and_no_other(device, verify):
    unsigned, document = account_file(device)
    assert "is this wallet's first" in verify(document["account"], device).said
    assert device.screens == [f"Receive address {unsigned.from_address}"]
    with SoftwareTrezor(passphrase="another") as other:
        assert "shows another address" in verify(document["account"], other).why
