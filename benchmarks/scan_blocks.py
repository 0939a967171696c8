"""Full synthetic blocks for `make bench-scan`, as bytes and JSON that the real parsers read.

Each pays a few of the watched addresses and spends a few of our coins, so that finding something is part of the figure.
What must never happen here: a block that is easier to read than a full one of the public chains.
"""

from __future__ import annotations

import hashlib
import json
import random
import struct

TRANSACTIONS, OUTPUTS = 3_500, 10_500
EVM_TRANSACTIONS, EVM_LOGS = 300, 500
OURS = 5  # payments to us, and coins of ours that are spent, in each block
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


def hash256(raw: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(raw).digest()).digest()


def script(number: int) -> bytes:
    """The script of the watched address `number`; the database makes the same from the same number."""
    return b"\x00\x14" + hashlib.sha256(str(number).encode()).digest()[:20]


def account(number: int) -> bytes:
    """The 20 bytes of the watched EVM account `number`."""
    return hashlib.sha256(str(number).encode()).digest()[:20]


def coin(number: int) -> tuple[str, int]:
    """(txid, vout) of our coin `number`."""
    return hashlib.sha256(f"coin {number}".encode()).hexdigest(), number % 4


def _size(count: int) -> bytes:
    return bytes([count]) if count < 0xFD else b"\xfd" + struct.pack("<H", count)


def _transaction(rng: random.Random, spent: list[bytes], scripts: list[bytes]) -> bytes:
    inputs = b"".join(each + b"\x00" + b"\xfd\xff\xff\xff" for each in spent)
    outputs = b"".join(struct.pack("<Q", rng.randint(1_000, 10**10)) + _size(len(to)) + to for to in scripts)
    witness = b"\x02\x48" + rng.randbytes(72) + b"\x21" + rng.randbytes(33)
    body = _size(len(spent)) + inputs + _size(len(scripts)) + outputs
    return b"\x02\x00\x00\x00\x00\x01" + body + witness * len(spent) + b"\x00\x00\x00\x00"


def utxo(seed: int, watched: int, coins: int) -> tuple[bytes, str]:
    """(bytes, hash): 3,500 transactions of two inputs and three outputs each, a coinbase among them."""
    rng = random.Random(seed)
    ours = {rng.randrange(1, TRANSACTIONS): script(rng.randrange(watched)) for _ in range(OURS)}
    spent = {rng.randrange(1, TRANSACTIONS): coin(rng.randrange(coins)) for _ in range(OURS)}
    made = [_transaction(rng, [b"\0" * 32 + b"\xff" * 4], [b"\x00\x14" + rng.randbytes(20) for _ in range(3)])]
    for number in range(1, TRANSACTIONS):
        inputs = [rng.randbytes(32) + struct.pack("<I", rng.randrange(4)) for _ in range(2)]
        if number in spent:
            txid, vout = spent[number]
            inputs[0] = bytes.fromhex(txid)[::-1] + struct.pack("<I", vout)
        scripts = [b"\x00\x14" + rng.randbytes(20) for _ in range(3)]
        if number in ours:
            scripts[rng.randrange(3)] = ours[number]
        made.append(_transaction(rng, inputs, scripts))
    header = struct.pack("<i", 0x20000000) + rng.randbytes(64) + struct.pack("<III", 1_700_000_000, 0x1D00FFFF, seed)
    return header + _size(len(made)) + b"".join(made), hash256(header)[::-1].hex()


def evm(seed: int, watched: int, token: str) -> tuple[bytes, bytes]:
    """(block, receipts) as a node's JSON: 300 transactions, 500 logs, a few of them to accounts of ours."""
    rng = random.Random(seed)
    block_hash = "0x" + rng.randbytes(32).hex()
    transactions, receipts, logs_left = [], [], EVM_LOGS
    ours = set(rng.sample(range(EVM_TRANSACTIONS), OURS))
    for number in range(EVM_TRANSACTIONS):
        txid, to = "0x" + rng.randbytes(32).hex(), rng.randbytes(20)
        if number in ours:
            to = account(rng.randrange(watched))
        transactions.append(
            {
                "hash": txid, "from": "0x" + rng.randbytes(20).hex(), "to": "0x" + to.hex(), "nonce": hex(number),
                "value": hex(rng.randint(0, 10**19)), "input": "0x" + rng.randbytes(rng.choice([0, 68, 300])).hex(),
                "gas": "0x5208", "gasPrice": "0x3b9aca00", "type": "0x2", "blockHash": block_hash,
            }
        )  # fmt: skip
        count = min(logs_left, rng.choice([0, 1, 2, 3])) if number < EVM_TRANSACTIONS - 1 else logs_left
        logs_left -= count
        receipts.append(
            {
                "transactionHash": txid, "blockHash": block_hash, "status": "0x1", "gasUsed": "0x5208",
                "effectiveGasPrice": "0x3b9aca00", "logsBloom": "0x" + "00" * 256,
                "logs": [_log(rng, watched, token if rng.random() < 0.1 else "") for _ in range(count)],
            }
        )  # fmt: skip
    block = {
        "number": hex(seed), "hash": block_hash, "parentHash": "0x" + rng.randbytes(32).hex(),
        "timestamp": "0x6553f100", "transactions": transactions,
    }  # fmt: skip
    return json.dumps({"result": block}).encode(), json.dumps({"result": receipts}).encode()


def _log(rng: random.Random, watched: int, token: str) -> dict[str, object]:
    to = account(rng.randrange(watched)) if token else rng.randbytes(20)
    return {
        "address": token or "0x" + rng.randbytes(20).hex(),
        "topics": [TRANSFER, "0x" + rng.randbytes(20).hex().zfill(64), "0x" + to.hex().zfill(64)],
        "data": "0x" + hex(rng.randint(1, 10**12))[2:].zfill(64),
        "logIndex": "0x0",
    }
