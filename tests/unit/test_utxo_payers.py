"""Who paid, read from what a transaction's inputs show."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kyc.screening import keys
from wallets.chains import base58
from wallets.chains.bip32 import hash160
from wallets.chains.utxo import bech32, parameters, payers, script
from wallets.chains.utxo.transaction import Transaction, TxInput, TxOutput

KEY, OTHER = b"\x02" + b"\x11" * 32, b"\x03" + b"\x22" * 32
SIGNATURE = b"\x30" * 71
WITNESS_SCRIPT = b"\x51\x21" + KEY + b"\x51\xae"


def push(*items):
    return b"".join((bytes([len(item)]) if len(item) < 76 else b"\x4c" + bytes([len(item)])) + item for item in items)


def paid(*coins):
    return payers.of(Transaction(tuple(coins), (TxOutput(1, b"\x51"),)).serialize())


def coin(vout=0, script_sig=b"", witness=()):
    return TxInput("aa" * 32, vout, script_sig, witness=tuple(witness))


def test_every_form_shows_the_key_that_its_address_stands_for():
    redeem = b"\x00\x14" + hash160(KEY)
    assert paid(coin(script_sig=push(SIGNATURE, KEY))) == (keys.of(base58.encode(b"\x00" + hash160(KEY))),)
    assert paid(coin(witness=(SIGNATURE, KEY))) == (keys.of(bech32.encode("bc", 0, hash160(KEY))),)
    nested = paid(coin(script_sig=push(redeem), witness=(SIGNATURE, KEY)))
    assert nested == (keys.of(base58.encode(b"\x05" + hash160(redeem))), f"key:{hash160(KEY).hex()}")
    multisig = b"\x52" + push(KEY, OTHER) + b"\x52\xae"
    old = paid(coin(script_sig=b"\x00" + push(SIGNATURE, SIGNATURE, multisig)))
    assert old == (keys.of(base58.encode(b"\x05" + hash160(multisig))),)
    new = paid(coin(witness=(b"", SIGNATURE, WITNESS_SCRIPT)))
    assert new == (keys.of(bech32.encode("bc", 0, sha256(WITNESS_SCRIPT).digest())),)


def test_all_inputs_are_looked_at_and_each_payer_is_named_once():
    found = paid(
        coin(0, witness=(SIGNATURE, KEY)), coin(1, witness=(SIGNATURE, OTHER)), coin(2, witness=(SIGNATURE, KEY))
    )
    assert found == (f"key:{hash160(KEY).hex()}", f"key:{hash160(OTHER).hex()}")


CONTROL_BLOCK = b"\xc1" + b"\x33" * 32
BARE = b"\x30\x45" + b"\x01" * 69 + b"\x01"  # a signature in DER, and the byte that says what it signs


@pytest.mark.parametrize(
    ("script_sig", "witness"),
    [
        (b"", (b"\x40" * 64,)),
        (b"", (b"\x40" * 64, b"\x50annex")),
        (b"", (SIGNATURE, WITNESS_SCRIPT, CONTROL_BLOCK)),
        (push(BARE), ()),
        (b"\x00" + push(BARE, BARE), ()),
        (push(SIGNATURE, KEY) + b"\x61", ()),
        (b"\x4e\x21\x00\x00\x00" + KEY, ()),
    ],
    ids=["taproot key", "annex", "taproot script", "bare key", "bare multisig", "a no-op behind", "PUSHDATA4"],
)
def test_what_shows_nobody_is_named_to_be_asked_for(script_sig, witness):
    raw = Transaction((coin(7, script_sig, witness), coin(8, witness=(SIGNATURE, KEY))), (TxOutput(1, b"\x51"),))
    assert payers.of(raw.serialize()) == (f"key:{hash160(KEY).hex()}",)
    assert payers.unshown(raw.serialize()) == (f"{'aa' * 32}:7",)


def test_a_coinbase_is_nobody_s_output():
    minted = TxInput("00" * 32, 0xFFFFFFFF, b"\x03\x01\x02\x03")
    assert payers.unshown(Transaction((minted,), (TxOutput(1, b"\x51"),)).serialize()) == ()


@pytest.mark.parametrize("address", [
    bech32.encode("bc", 0, hash160(KEY)), bech32.encode("bc", 0, sha256(WITNESS_SCRIPT).digest()),
    bech32.encode("bc", 1, b"\x33" * 32), base58.encode(b"\x00" + hash160(KEY)), base58.encode(b"\x05" + hash160(KEY)),
])  # fmt: skip
def test_an_output_pays_whom_its_address_stands_for(address):
    assert payers.of_script(script.parse(address, parameters.parameters("bitcoin", "mainnet")).key) == keys.of(address)


def test_a_bare_key_is_known_as_its_address_and_what_pays_nobody_is_not():
    assert payers.of_script(push(KEY) + b"\xac") == f"key:{hash160(KEY).hex()}"
    for odd in (b"", b"\x6a\x04data", b"\xac", b"\x51" + push(KEY) + b"\x51\xae"):
        assert payers.of_script(odd) == ""


@given(st.binary(max_size=60))
def test_no_script_breaks_it(odd):
    assert isinstance(payers.of_script(odd), str)


@given(st.binary(max_size=300))
def test_no_bytes_break_it(raw):
    assert isinstance(payers.of(raw), tuple) and isinstance(payers.unshown(raw), tuple)


@given(st.binary(max_size=120), st.lists(st.binary(max_size=80), max_size=4))
def test_no_input_breaks_it(script_sig, witness):
    assert isinstance(paid(coin(script_sig=script_sig, witness=witness)), tuple)
