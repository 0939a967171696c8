"""Whatever bytes or JSON come in: the parsers answer with values or with a typed error, and values survive the round trip."""

import contextlib
import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallets.chains import registry
from wallets.chains.evm import block as evm_block
from wallets.chains.evm import payout as evm_payout
from wallets.chains.evm import rlp
from wallets.chains.evm import transaction as evm_transaction
from wallets.chains.protocol import AddressInvalid, ChainError, MalformedData, SignedMismatch
from wallets.chains.utxo import block as utxo_block
from wallets.chains.utxo import payout as utxo_payout
from wallets.chains.utxo.transaction import Transaction, TxInput, TxOutput, compact_size, decode, hash256

BITCOIN = registry.rules("bitcoin", network="regtest")
LITECOIN = registry.rules("litecoin", network="regtest")
ETHEREUM = registry.rules("ethereum", chain_id=31337)

hashes = st.binary(min_size=32, max_size=32)
scripts = st.binary(max_size=300)
witnesses = st.lists(st.binary(max_size=300), max_size=4).map(tuple)
inputs = st.builds(
    TxInput,
    txid=hashes.map(bytes.hex),
    vout=st.integers(0, 0xFFFFFFFF),
    script_sig=scripts,
    sequence=st.integers(0, 0xFFFFFFFF),
    witness=witnesses,
)
outputs = st.builds(TxOutput, amount=st.integers(0, 2**63 - 1), script=scripts)
transactions = st.builds(
    Transaction,
    inputs=st.lists(inputs, min_size=1, max_size=5).map(tuple),
    outputs=st.lists(outputs, min_size=1, max_size=5).map(tuple),
    version=st.integers(-(2**31), 2**31 - 1),
    locktime=st.integers(0, 0xFFFFFFFF),
)


def as_block(body):
    header = struct.pack("<i", 0x20000000) + b"\1" * 64 + struct.pack("<III", 1_700_000_000, 0x207FFFFF, 0)
    return header + body, hash256(header)[::-1].hex()


@given(transactions)
def test_a_transaction_survives_the_round_trip(transaction):
    assert decode(transaction.serialize()) == transaction


@given(st.lists(transactions, max_size=6))
def test_a_block_is_read_as_its_transactions_are(made):
    raw, block_hash = as_block(compact_size(len(made)) + b"".join(each.serialize() for each in made))
    block = utxo_block.parse(raw, height=7, block_hash=block_hash)
    assert [block.txid(number) for number in range(len(block))] == [each.txid for each in made]
    assert block.destinations() == {out.script for each in made for out in each.outputs}
    null = f"{'0' * 64}:{0xFFFFFFFF}"
    assert block.spent() == {coin.outpoint for each in made for coin in each.inputs} - {null}
    wanted = [
        (each.txid, str(n), out.script, out.amount) for each in made for n, out in enumerate(each.outputs) if out.amount
    ]
    assert [(c.txid, c.slot, c.key, c.amount) for c in block.credits(block.destinations())] == wanted
    assert block.credits(set()) == []


@settings(max_examples=400)
@given(transactions, st.data())
def test_a_damaged_transaction_is_another_one_or_malformed(transaction, data):
    raw = bytearray(transaction.serialize())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] = data.draw(st.integers(0, 255))
    cut = bytes(raw[: data.draw(st.integers(0, len(raw)))])
    for damaged in (bytes(raw), cut, bytes(raw) + b"\0"):
        try:
            found = decode(damaged)
        except MalformedData:
            continue
        # What is accepted is accepted whole: nothing of it was skipped, apart from Litecoin's opaque part.
        assert found.serialize() == damaged or damaged[4:6] in (b"\x00\x08", b"\x00\x09")


@settings(max_examples=400)
@given(st.binary(max_size=400), st.sampled_from([0, 6]))
def test_any_bytes_behind_a_good_header_are_a_block_or_malformed(body, peg_maturity):
    raw, block_hash = as_block(body)
    try:
        block = utxo_block.parse(raw, height=1, block_hash=block_hash, peg_maturity=peg_maturity)
    except MalformedData:
        return
    for number in range(len(block)):
        assert len(block.txid(number)) == 64
    block.credits(block.destinations())
    block.spends(block.spent())


@given(st.lists(transactions, min_size=1, max_size=3), st.data())
def test_a_block_that_is_cut_or_damaged_is_malformed_or_read_whole(made, data):
    raw, block_hash = as_block(compact_size(len(made)) + b"".join(each.serialize() for each in made))
    damaged = bytearray(raw)
    damaged[data.draw(st.integers(80, len(raw) - 1))] = data.draw(st.integers(0, 255))
    for candidate in (raw[: data.draw(st.integers(0, len(raw) - 1))], bytes(damaged)):
        try:
            block = utxo_block.parse(candidate, height=1, block_hash=block_hash)
        except MalformedData:
            continue
        block.credits(block.destinations())
        block.spent()


def test_a_block_with_an_impossible_count_costs_nothing():
    for count in (b"\xff" + b"\xff" * 8, b"\xfe\xff\xff\xff\xff"):
        raw, block_hash = as_block(count + b"\0" * 100)
        with pytest.raises(MalformedData):
            utxo_block.parse(raw, height=1, block_hash=block_hash)


def test_a_block_under_another_hash_is_malformed():
    raw, _ = as_block(b"\0")
    with pytest.raises(MalformedData):
        utxo_block.parse(raw, height=1, block_hash="00" * 32)


@given(st.text(max_size=120) | st.from_regex(r"(bc1|bcrt1|0x|1|3)[0-9a-zA-Z]{5,60}", fullmatch=True))
def test_any_text_is_an_address_or_invalid(text):
    for rules in (BITCOIN, LITECOIN, ETHEREUM):
        try:
            found = rules.parse(text)
        except AddressInvalid:
            continue
        assert rules.parse(found.text) == found
        assert rules.address(found.key) == found.text


@given(st.sampled_from(["0014", "0020", "5120", "76a914", "a914"]), st.binary(min_size=32, max_size=32))
def test_an_address_and_its_script_name_each_other(kind, body):
    script = bytes.fromhex(kind) + {"0020": body, "5120": body}.get(kind, body[:20])
    script += {"76a914": b"\x88\xac", "a914": b"\x87"}.get(kind, b"")
    for rules in (BITCOIN, LITECOIN):
        text = rules.address(script)
        assert rules.parse(text).key == script


@settings(max_examples=400)
@given(st.binary(max_size=300))
def test_any_bytes_are_rlp_in_one_way_or_malformed(data):
    try:
        item = rlp.decode(data)
    except MalformedData:
        return
    assert rlp.encode(item) == data


nested = st.recursive(st.binary(max_size=80), lambda inner: st.lists(inner, max_size=5), max_leaves=12)


@given(nested)
def test_rlp_survives_the_round_trip(item):
    depth = _depth(item)
    if depth <= 4:
        assert rlp.decode(rlp.encode(item)) == item
    else:
        with pytest.raises(MalformedData):
            rlp.decode(rlp.encode(item))


def _depth(item):
    return 1 + max((_depth(part) for part in item), default=0) if isinstance(item, list) else 0


def test_deep_nesting_is_refused_before_the_stack_is_full():
    data = b""
    for _ in range(5_000):
        data = rlp._head(len(data), 0xC0) + data
    with pytest.raises(MalformedData):
        rlp.decode(data)


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_signed_evm_transaction_or_malformed(data):
    for raw in (data, b"\x02" + data):
        try:
            evm_transaction.decode(raw)
        except MalformedData:
            continue


leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)


def grow(inner):
    return st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4)


anything = st.recursive(leaves, grow, max_leaves=10)

UTXO_JOB = {
    "version": 1,
    "family": "utxo",
    "network": "bitcoin",
    "locktime": 0,
    "fee": "100",
    "inputs": [
        {
            "txid": "11" * 32,
            "vout": 0,
            "amount": "1100",
            "script": "0014" + "22" * 20,
            "path": "m/84'/1'/0'/0/0",
            "sequence": 5,
        }
    ],
    "outputs": [{"address": "2N2JD6wb56AfK4tfmM6PwdVmoYk2dCKf4Br", "amount": "1000", "withdrawal_id": "x"}],
}
EVM_JOB = {
    "version": 1,
    "family": "evm",
    "network": "ethereum",
    "chain_id": 1,
    "from": "0x" + "11" * 20,
    "from_path": "m/44'/60'/1'/0/0",
    "nonce": 0,
    "to": "0x" + "22" * 20,
    "value": "5",
    "data": "0x",
    "gas_limit": 21000,
    "max_fee_per_gas": "2",
    "max_priority_fee_per_gas": "1",
    "pays": {"address": "0x" + "22" * 20, "amount": "5", "contract": "", "withdrawal_id": "x"},
}


def test_the_jobs_that_are_altered_below_are_good_ones():
    assert utxo_payout.from_json(UTXO_JOB).fee == 100
    assert evm_payout.from_json(EVM_JOB).payment.amount == 5


@settings(max_examples=500)
@given(st.sampled_from([UTXO_JOB, EVM_JOB]), st.data())
def test_any_job_is_read_or_malformed(job, data):
    altered = json.loads(json.dumps(job))
    part = altered
    while True:
        key = data.draw(st.sampled_from(sorted(part)) if isinstance(part, dict) else st.integers(0, len(part) - 1))
        if isinstance(part[key], dict | list) and data.draw(st.booleans()):
            part = part[key]
            continue
        part[key] = data.draw(anything)
        break
    for read in (utxo_payout.from_json, evm_payout.from_json):
        try:
            read(altered)
        except MalformedData:
            continue
    for rules in (BITCOIN, ETHEREUM):
        with pytest.raises(SignedMismatch):
            rules.verify_signed(b"\x02\x00", altered)


@settings(max_examples=300)
@given(anything, anything)
def test_any_answer_of_a_node_is_a_block_or_malformed(body, receipts):
    for made in (body, {"number": "0x1", "hash": "0x1", "parentHash": "0x0", "timestamp": "0x1", "transactions": body}):
        with contextlib.suppress(ChainError):
            evm_block.parse(made, receipts)
        with contextlib.suppress(ChainError):
            evm_block.parse_pending(made)


coins = st.lists(st.integers(300, 10**9), min_size=1, max_size=30)
amounts = st.lists(st.integers(1_000, 10**8), min_size=0, max_size=5)


@settings(max_examples=300)
@given(coins, amounts, st.integers(1_000, 500_000))
def test_every_payout_pays_exactly_and_loses_nothing(coin_amounts, paid, fee_rate):
    ours = [
        utxo_payout.Coin(f"{number:064x}", 0, amount, b"\x00\x14" + number.to_bytes(20, "big"), "m/84'/1'/0'/0/0")
        for number, amount in enumerate(coin_amounts)
    ]
    address = BITCOIN.address(b"\x00\x14" + b"\x05" * 20)
    payments = [utxo_payout.Payment(address, amount, f"w{number}") for number, amount in enumerate(paid)]
    try:
        change = utxo_payout.Change(address, "m/84'/1'/1'/1/0")
        made = BITCOIN.payout(coins=ours, payments=payments, change=change, fee_rate=fee_rate)
    except ChainError as refused:
        assert refused.code in ("insufficient_coins", "dust_output")
        total, needed = sum(coin_amounts), sum(paid)
        size = utxo_payout.vsize(len(ours), [BITCOIN.parse(address).key] * max(1, len(paid)))
        assert total < needed + utxo_payout.fee_of(size, fee_rate) + BITCOIN.dust(address) * (not paid)
        return
    assert [output.amount for output in made.outputs if output.withdrawal_id] == paid
    assert sum(coin.amount for coin in made.inputs) == sum(output.amount for output in made.outputs) + made.fee
    least = utxo_payout.fee_of(made.vsize(BITCOIN.parameters), fee_rate)
    # At most what change would have cost and been: an output of its own, and dust or what spending it costs on a quiet day.
    quiet = utxo_payout.fee_of(68, min(fee_rate, BITCOIN.parameters.long_term_fee_rate))
    assert least <= made.fee <= least + utxo_payout.fee_of(31, fee_rate) + 1 + max(BITCOIN.dust(address), quiet)
    assert len({coin.outpoint for coin in made.inputs}) == len(made.inputs)
