"""Who paid, read from what a transaction's inputs show."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from kyc.screening import keys
from wallets.chains import base58
from wallets.chains.bip32 import hash160
from wallets.chains.utxo import bech32, payers
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


def test_a_taproot_key_spend_shows_nobody():
    assert paid(coin(witness=(b"\x40" * 64,))) == ()


@given(st.binary(max_size=300))
def test_no_bytes_break_it(raw):
    assert isinstance(payers.of(raw), tuple)


@given(st.binary(max_size=120), st.lists(st.binary(max_size=80), max_size=4))
def test_no_input_breaks_it(script_sig, witness):
    assert isinstance(paid(coin(script_sig=script_sig, witness=witness)), tuple)
