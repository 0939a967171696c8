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

from custody import by_hand, house
from custody.accounts import Accounts
from custody.signers import psbt, psbt_file
from custody.signers.software import SoftwareSigner
from tests import cold_wallets
from tests.cold_kit import HOUSE, REGTEST, FakeCoins, account_file, public_document
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
def public(tmp_path_factory):
    """What the signer's machine gave to whoever holds the device."""
    file = tmp_path_factory.mktemp("house") / "public.json"
    file.write_text(json.dumps(public_document()))
    return file


@pytest.fixture
def sign(monkeypatch, public):
    """The command's own code in this process; one test runs the process itself."""

    def run(*arguments, device=None, answer="yes"):
        monkeypatch.setenv("TREZOR_PATH", device.path if device is not None else "udp:127.0.0.1:9")
        if not {"--house", "--unchecked"} & {*map(str, arguments)}:
            arguments = ("--house", public, *arguments)
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


def test_it_says_what_will_be_signed_asks_and_writes_a_new_file(tmp_path, device, coins, sign, public):
    wanted, data = coins.proposal()
    file = tmp_path / "return.psbt"
    file.write_bytes(data)
    # In an environment that holds nothing of the exchange's: no settings, no database, no keystore.
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TREZOR_PATH": device.path}
    run = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "custody", "sign", "--trezor", str(file), "--house", str(public)],
        env=environment, cwd=ROOT, input="yes\n", capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    pays, back = wanted.unsigned.outputs
    assert f"pays   0.40000000 BTC  to {pays.address}  (proved: the house's own hot account)" in run.stdout
    assert f"check {house.check(public_document())}" in run.stdout
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
    said = f"pays   1.5 of the chain's coin  to {unsigned.payment.address}  (proved: the house's own hot account)"
    assert said in run.said, run
    raw = json.loads((tmp_path / "return.signed.json").read_text())["raw"]
    rules = registry.rules("ethereum", chain_id=31337)
    assert rules.verify_signed(bytes.fromhex(raw[2:]), unsigned.to_json()).spends == (unsigned.spend_key,)


# --- Whoever owns the database makes honest staff a proposal of his own -----------------------------------------------------

THIEF = SoftwareSigner(b"\x66" * 32)


def thief_s(path="m/84'/1'/1'/0/0", signer=THIEF):
    return registry.rules("bitcoin", network="regtest").address(signer.script(path))


@pytest.mark.parametrize("how", ["--trezor", "--psbt"])
@pytest.mark.parametrize(
    "to",
    [
        thief_s(),
        thief_s("m/84'/1'/0'/0/0", HOUSE),  # a customer's deposit address: who is credited is the database's word
        thief_s("m/84'/1'/3'/0/0", HOUSE),  # an account that was not rotated to
        thief_s("m/84'/1'/1'/0/1000", HOUSE),  # further out than anybody looks
    ],
)
def test_coins_that_would_not_return_to_the_house_are_signed_by_nobody(tmp_path, device, coins, sign, how, to):
    file = tmp_path / "return.psbt"
    file.write_bytes(coins.proposal(to=to)[1])
    run = sign(how, file, "--yes", device=device)
    assert f"to {to}  (NOT OURS)" in run.said and "no hot account of the public keys leads to" in run.why
    assert device.screens == [] and list(tmp_path.iterdir()) == [file]


def test_an_account_s_coins_that_would_not_return_to_the_house_are_signed_by_nobody(tmp_path, device, sign):
    _, document = account_file(device, to=THIEF.evm_address("m/44'/60'/1'/0/0"))
    document["says"] = "1\n  pays   2  to us  (proved: the house's own hot account)"
    file = tmp_path / "return.json"
    file.write_text(json.dumps(document))
    run = sign("--trezor", file, "--yes", device=device)
    assert "(NOT OURS)" in run.said and "(proved" not in run.said and "no hot account" in run.why
    assert device.screens == [] and list(tmp_path.iterdir()) == [file]


def test_whoever_has_not_the_public_keys_must_say_that_nothing_is_checked(tmp_path, device, coins, sign):
    file = tmp_path / "return.psbt"
    file.write_bytes(coins.proposal(to=thief_s())[1])
    parser = argparse.ArgumentParser(exit_on_error=False)
    by_hand.add_arguments(parser)
    with pytest.raises((argparse.ArgumentError, SystemExit)):
        parser.parse_args(["--trezor", str(file)])
    run = sign("--trezor", file, "--yes", "--unchecked", device=device)
    assert not run.why and f"to {thief_s()}  (NOT CHECKED)" in run.said
    assert "Nothing proves here whose the addresses are" in run.said


def test_public_keys_of_another_chain_or_none_at_all_prove_nothing(tmp_path, device, coins, sign):
    file = tmp_path / "return.psbt"
    file.write_bytes(coins.proposal()[1])
    other = tmp_path / "other.json"
    cases = {
        "says nothing of bitcoin regtest": json.dumps(public_document() | {"chains": {"bitcoin": "mainnet"}}),
        "no hot account": json.dumps(public_document(THIEF)),
        "is no file of public keys": "[1]",
        "as `custody show --public` writes it": json.dumps(public_document() | {"accounts": [{"role": "hot"}]}),
    }
    for why, text in cases.items():
        other.write_text(text)
        run = sign("--trezor", file, "--yes", "--house", other, device=device)
        assert why in run.why, run
    assert "cannot be read" in sign("--trezor", file, "--yes", "--house", tmp_path / "none.json", device=device).why
    assert device.screens == []


def test_an_older_hot_account_and_its_change_are_the_house_s_and_the_paper_tells_another_file(tmp_path, coins, sign):
    rotated = public_document(accounts=Accounts().with_next("bitcoin"))
    file, newer = tmp_path / "return.psbt", tmp_path / "newer.json"
    newer.write_text(json.dumps(rotated))
    for number, path in enumerate(("m/84'/1'/1'/1/7", "m/84'/1'/3'/0/0")):
        file.write_bytes(coins.proposal(to=thief_s(path, HOUSE))[1])
        run = sign("--psbt", file, "--house", newer, "--out", tmp_path / f"{number}.psbt")
        assert not run.why and "(proved: the house's own hot account)" in run.said, run
    forged = public_document(THIEF) | {"fingerprint": rotated["fingerprint"]}
    assert len({house.check(each) for each in (public_document(), rotated, forged)}) == 3


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
