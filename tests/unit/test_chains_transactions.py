"""Transactions of both families: bytes, digests, sizes and fees, against the standards' vectors and other implementations."""

import coincurve
import pytest
from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from hexbytes import HexBytes

from custody.signers.software import NotOurKey, SoftwareSigner, low_r_signature
from wallets.chains import registry
from wallets.chains.bip32 import hash160
from wallets.chains.evm import payout as evm_payout
from wallets.chains.evm import transaction as evm_transaction
from wallets.chains.protocol import DustOutput, InsufficientCoins, MalformedData, PayoutImpossible, SignedMismatch
from wallets.chains.utxo import transaction
from wallets.chains.utxo.payout import Change, Coin, Payment, fee_of, from_json, vsize

# BIP143, "Native P2WPKH".
BIP143_UNSIGNED = (
    "0100000002fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f0000000000eeffffffef51e1b804cc89d182d279655c3aa8"
    "9e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206000000001976a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac"
    "9093510d000000001976a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988ac11000000"
)
BIP143_SIGNED = (
    "01000000000102fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f00000000494830450221008b9d1dc26ba6a9cb62127b"
    "02742fa9d754cd3bebf337f7a55d114c8e5cdd30be022040529b194ba3f9281a99f2b1c0a19c0489bc22ede944ccf4ecbab4cc618ef3ed01eeffffffef"
    "51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206000000001976a9148280b37df378db99"
    "f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988ac000247304402203609e17b84f6"
    "a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a0220573a954c4518331561406f90300e8f3358f51928d43c212a8caed02de67eebee01"
    "21025476c2e83188368da1ff3e292e7acafcdb3566bb0ad253f62fc70f07aeee635711000000"
)
BIP143_KEY = "619c335025c7f4012e556c2a58b2506e30b8511b53ade95ea316fd8c3286feb9"
BIP143_SIGHASH = "c37af31116d1b27caf68aae9e3ac82f1477929014d5b917657d0eb49478cb670"
BIP143_SIGNATURE = (
    "304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a"
    "0220573a954c4518331561406f90300e8f3358f51928d43c212a8caed02de67eebee"
)

SEED = bytes(range(32))
BITCOIN = registry.rules("bitcoin", network="regtest")
ETHEREUM = registry.rules("ethereum", chain_id=31337)
OUTSIDE = BITCOIN.address(b"\x00\x14" + b"\x07" * 20)
W1, W2 = "018f0000-0000-7000-8000-000000000001", "018f0000-0000-7000-8000-000000000002"


@pytest.fixture(scope="module")
def signer():
    return SoftwareSigner(SEED)


def coin(signer, number, amount):
    path = f"m/84'/1'/0'/0/{number}"
    return Coin(f"{number:064x}", number, amount, signer.script(path), path)


def change(signer):
    path = "m/84'/1'/1'/1/0"
    return Change(BITCOIN.address(signer.script(path)), path)


def test_the_digest_and_signature_are_those_that_bip143_prints():
    decoded = transaction.decode(bytes.fromhex(BIP143_UNSIGNED))
    key = coincurve.PrivateKey(bytes.fromhex(BIP143_KEY))
    digest = decoded.digest(1, key_hash=hash160(key.public_key.format()), amount=600_000_000)
    assert digest.hex() == BIP143_SIGHASH
    assert low_r_signature(key.secret, digest).hex() == BIP143_SIGNATURE


@pytest.mark.parametrize("raw", [BIP143_UNSIGNED, BIP143_SIGNED])
def test_a_transaction_comes_back_byte_for_byte(raw):
    assert transaction.decode(bytes.fromhex(raw)).serialize().hex() == raw


def test_the_txid_does_not_depend_on_the_witness():
    signed = transaction.decode(bytes.fromhex(BIP143_SIGNED))
    assert signed.inputs[1].witness[1].hex() == "025476c2e83188368da1ff3e292e7acafcdb3566bb0ad253f62fc70f07aeee6357"
    assert signed.serialize(witness=False) != signed.serialize()
    assert signed.with_witnesses(((), (b"other",))).txid == signed.txid


def test_a_payout_pays_exactly_and_its_fee_is_exact(signer):
    coins = [coin(signer, number, 50_000 * number) for number in (1, 2, 3)]
    payments = [Payment(OUTSIDE, 120_000, W1), Payment("2N2JD6wb56AfK4tfmM6PwdVmoYk2dCKf4Br", 60_000, W2)]
    unsigned = BITCOIN.payout(coins=coins, payments=payments, change=change(signer), fee_rate=5_000)
    assert [output.amount for output in unsigned.outputs[:2]] == [120_000, 60_000]
    raw = signer.sign_utxo(unsigned, BITCOIN.parameters)
    size = transaction.decode(raw).vsize
    assert size == unsigned.vsize(BITCOIN.parameters)
    assert (
        unsigned.fee
        == fee_of(size, 5_000)
        == sum(c.amount for c in unsigned.inputs) - sum(o.amount for o in unsigned.outputs)
    )


def test_the_size_is_exact_for_a_hundred_random_keys_or_one_byte_less(signer):
    sizes = set()
    for number in range(100):
        unsigned = BITCOIN.payout(
            coins=[coin(signer, number, 100_000)],
            payments=[Payment(OUTSIDE, 50_000, W1)],
            change=change(signer),
            fee_rate=1_000,
        )
        signed = transaction.decode(signer.sign_utxo(unsigned, BITCOIN.parameters))
        assert len(signed.inputs[0].witness[0]) <= 71
        sizes.add(unsigned.vsize(BITCOIN.parameters) - signed.vsize)
    assert sizes <= {0, 1}


def test_signing_twice_gives_the_same_bytes(signer):
    unsigned = BITCOIN.payout(
        coins=[coin(signer, 1, 100_000)], payments=[Payment(OUTSIDE, 50_000, W1)], change=change(signer), fee_rate=1_000
    )
    assert signer.sign_utxo(unsigned, BITCOIN.parameters) == SoftwareSigner(SEED).sign_utxo(
        unsigned, BITCOIN.parameters
    )


def test_change_that_would_be_dust_goes_to_the_fee(signer):
    fee = fee_of(vsize(1, [BITCOIN.parse(OUTSIDE).key]), 1_000)
    amount = 100_000 - fee - 100
    unsigned = BITCOIN.payout(
        coins=[coin(signer, 1, 100_000)], payments=[Payment(OUTSIDE, amount, W1)], change=change(signer), fee_rate=1_000
    )
    assert len(unsigned.outputs) == 1
    assert unsigned.fee == fee + 100


def test_coins_are_gathered_into_change_without_a_payment(signer):
    coins = [coin(signer, number, 10_000) for number in range(5)]
    unsigned = BITCOIN.payout(coins=coins, payments=[], change=change(signer), fee_rate=1_000)
    assert len(unsigned.inputs) == 5
    assert [output.path for output in unsigned.outputs] == ["m/84'/1'/1'/1/0"]
    with pytest.raises(InsufficientCoins):
        BITCOIN.payout(coins=[coin(signer, 1, 300)], payments=[], change=change(signer), fee_rate=1_000)


def test_a_payout_that_cannot_be_made_is_refused(signer):
    coins = [coin(signer, 1, 100_000)]
    with pytest.raises(InsufficientCoins):
        BITCOIN.payout(coins=coins, payments=[Payment(OUTSIDE, 100_000, W1)], change=change(signer), fee_rate=1_000)
    with pytest.raises(InsufficientCoins):
        BITCOIN.payout(coins=[], payments=[Payment(OUTSIDE, 1_000, W1)], change=change(signer), fee_rate=1_000)
    with pytest.raises(DustOutput):
        BITCOIN.payout(coins=coins, payments=[Payment(OUTSIDE, 293, W1)], change=change(signer), fee_rate=1_000)
    with pytest.raises(PayoutImpossible):
        BITCOIN.payout(coins=coins, payments=[Payment(OUTSIDE, 1_000, W1)] * 2, change=change(signer), fee_rate=1_000)
    assert BITCOIN.dust(OUTSIDE) == 294


def test_the_job_reads_back_as_it_was_built(signer):
    unsigned = BITCOIN.payout(
        coins=[coin(signer, 1, 2**40)], payments=[Payment(OUTSIDE, 50_000, W1)], change=change(signer), fee_rate=1_000
    )
    assert from_json(unsigned.to_json()) == unsigned


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("outputs", 0, "amount"), "49999"),
        (("outputs", 0, "address"), BITCOIN.address(b"\x00\x14" + b"\x08" * 20)),
        (("outputs", 1, "amount"), "1"),
        (("inputs", 0, "txid"), "ff" * 32),
        (("inputs", 0, "amount"), "100001"),
        (("inputs", 0, "sequence"), 0),
        (("locktime",), 5),
        (("network",), "litecoin"),
    ],
)
def test_signed_bytes_are_refused_when_they_do_anything_else(signer, path, value):
    unsigned = BITCOIN.payout(
        coins=[coin(signer, 1, 100_000)], payments=[Payment(OUTSIDE, 50_000, W1)], change=change(signer), fee_rate=1_000
    )
    raw, body = signer.sign_utxo(unsigned, BITCOIN.parameters), unsigned.to_json()
    view = BITCOIN.verify_signed(raw, body)
    assert (view.txid, view.fee, view.spends) == (
        transaction.decode(raw).txid,
        unsigned.fee,
        (unsigned.inputs[0].outpoint,),
    )
    part = body
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    total = sum(int(item["amount"]) for item in body["inputs"]) - sum(int(item["amount"]) for item in body["outputs"])
    body["fee"] = str(total)
    with pytest.raises(SignedMismatch):
        BITCOIN.verify_signed(raw, body)


def test_a_flipped_bit_of_the_signature_is_noticed(signer):
    unsigned = BITCOIN.payout(
        coins=[coin(signer, 1, 100_000)], payments=[Payment(OUTSIDE, 50_000, W1)], change=change(signer), fee_rate=1_000
    )
    raw = bytearray(signer.sign_utxo(unsigned, BITCOIN.parameters))
    at = raw.index(b"\x30\x44\x02\x20") + 20
    raw[at] ^= 1
    with pytest.raises(SignedMismatch):
        BITCOIN.verify_signed(bytes(raw), unsigned.to_json())


def test_a_coin_that_is_not_at_its_path_is_not_signed_for(signer):
    foreign = Coin("11" * 32, 0, 100_000, b"\x00\x14" + b"\x09" * 20, "m/84'/1'/0'/0/1")
    unsigned = BITCOIN.payout(
        coins=[foreign], payments=[Payment(OUTSIDE, 50_000, W1)], change=change(signer), fee_rate=1_000
    )
    with pytest.raises(NotOurKey):
        signer.sign_utxo(unsigned, BITCOIN.parameters)


# --- evm ------------------------------------------------------------------------------------------------------------

FROM_PATH = "m/44'/60'/1'/0/0"
RECEIVER = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
TOKEN = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
FEES = evm_payout.Fees(10**9, 3 * 10**9, 10**9)


def evm_unsigned(signer, **changes):
    payment = evm_payout.Payment(**({"address": RECEIVER, "amount": 10**18, "withdrawal_id": W1} | changes))
    return ETHEREUM.payout(
        from_address=signer.evm_address(FROM_PATH),
        from_path=FROM_PATH,
        nonce=7,
        payment=payment,
        fees=FEES,
        gas_limit=60_000,
    )


@pytest.mark.parametrize("contract", ["", TOKEN])
def test_signed_bytes_are_the_same_as_another_implementation_makes(signer, contract):
    unsigned = evm_unsigned(signer, contract=contract)
    raw = signer.sign_evm(unsigned)
    fields = unsigned.transaction
    from custody.signers.derivation import ExtendedPrivateKey

    other = Account.sign_transaction(
        {
            "type": 2,
            "chainId": 31337,
            "nonce": 7,
            "to": HexBytes(fields.to),
            "value": fields.value,
            "data": fields.data,
            "gas": 60_000,
            "maxFeePerGas": 3 * 10**9,
            "maxPriorityFeePerGas": 10**9,
        },
        ExtendedPrivateKey.from_seed(SEED).descend(FROM_PATH).secret,
    )
    assert raw == bytes(other.raw_transaction)
    decoded = evm_transaction.decode(raw)
    assert decoded.txid == "0x" + other.hash.hex()
    assert Account.recover_transaction(raw) == signer.evm_address(FROM_PATH)
    assert TypedTransaction.from_bytes(HexBytes(raw)).as_dict()["nonce"] == 7
    view = ETHEREUM.verify_signed(raw, unsigned.to_json())
    assert (view.txid, view.fee, view.spends) == (
        decoded.txid,
        60_000 * 3 * 10**9,
        (f"{signer.evm_address(FROM_PATH)}:7",),
    )


def test_a_known_seed_gives_the_address_that_every_tool_knows():
    from bip_utils import Bip39SeedGenerator

    seed = bytes(Bip39SeedGenerator("test test test test test test test test test test test junk").Generate())
    assert SoftwareSigner(seed).evm_address("m/44'/60'/0'/0/0") == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nonce", 8),
        ("chain_id", 1),
        ("gas_limit", 60_001),
        ("max_fee_per_gas", "3000000001"),
        ("max_priority_fee_per_gas", "1"),
        ("from", RECEIVER),
        ("network", "polygon"),
    ],
)
def test_signed_evm_bytes_are_refused_when_they_do_anything_else(signer, name, value):
    unsigned = evm_unsigned(signer)
    raw, body = signer.sign_evm(unsigned), unsigned.to_json()
    assert evm_payout.from_json(body) == unsigned
    with pytest.raises(SignedMismatch):
        ETHEREUM.verify_signed(raw, body | {name: value})


@pytest.mark.parametrize(
    "changed",
    [
        {"to": RECEIVER},
        {"value": "1"},
        {"data": "0x"},
        {"max_priority_fee_per_gas": "99000000000"},
        {"pays": {"address": RECEIVER, "amount": "2", "contract": TOKEN, "withdrawal_id": W1}},
        {"pays": {"address": RECEIVER, "amount": str(10**18), "contract": "", "withdrawal_id": W1}},
        {"pays": {"address": RECEIVER, "amount": str(10**18), "contract": TOKEN}},
        {
            "pays": {
                "address": RECEIVER,
                "amount": str(10**18),
                "contract": TOKEN,
                "withdrawal_id": W1,
                "path": FROM_PATH,
            }
        },
        {"version": 2},
        {"gas_limit": 10**9},
    ],
)
def test_a_job_whose_parts_contradict_each_other_is_refused(signer, changed):
    body = evm_unsigned(signer, contract=TOKEN).to_json()
    with pytest.raises(MalformedData):
        evm_payout.from_json(body | changed)


def test_the_other_half_of_the_curve_is_not_a_signature(signer):
    decoded = evm_transaction.decode(signer.sign_evm(evm_unsigned(signer)))
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    from wallets.chains.evm import rlp

    items = rlp.decode(signer.sign_evm(evm_unsigned(signer))[1:])
    parity, r, s = (int.from_bytes(item, "big") for item in items[9:])
    malleated = decoded.transaction.serialize(y_parity=1 - parity, r=r, s=order - s)
    assert Account.recover_transaction(malleated) == signer.evm_address(FROM_PATH)
    with pytest.raises(MalformedData):
        evm_transaction.decode(malleated)


def test_a_sender_that_is_not_at_its_path_is_not_signed_for(signer):
    from dataclasses import replace

    with pytest.raises(NotOurKey):
        signer.sign_evm(replace(evm_unsigned(signer), from_path="m/44'/60'/1'/0/1"))


def test_a_payment_that_cannot_be_made_is_refused(signer):
    for changes in ({"amount": 0}, {"withdrawal_id": ""}, {"path": FROM_PATH}):
        with pytest.raises(PayoutImpossible):
            evm_unsigned(signer, **changes)
