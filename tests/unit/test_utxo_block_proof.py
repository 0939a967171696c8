"""A block's transactions are held against its header: whoever serves the bytes cannot put anything in, or take anything out."""

from __future__ import annotations

import pytest

from benchmarks import scan_blocks
from wallets.chains.protocol import MalformedData
from wallets.chains.utxo import block


def rooted(transactions: list[bytes], txids: list[bytes]) -> tuple[bytes, str]:
    """A block of these transactions whose header names the root of these txids, reckoned the plain way."""
    level = list(txids)
    while len(level) > 1:
        pairs = [level[at : at + 2] for at in range(0, len(level), 2)]
        level = [scan_blocks.hash256(pair[0] + pair[-1]) for pair in pairs]
    header = b"\x00\x00\x00\x20" + b"\0" * 32 + level[0] + b"\0" * 12
    return header + bytes([len(transactions)]) + b"".join(transactions), scan_blocks.hash256(header)[::-1].hex()


def parts(count: int) -> tuple[list[bytes], list[bytes]]:
    """Transactions of a full block, and their txids in the order of bytes."""
    raw, block_hash = scan_blocks.utxo(count, 1_000, 1_000)
    parsed = block.parse(raw, height=1, block_hash=block_hash)
    spans = parsed._parts.spans[:count]
    ends = [parsed._parts.spans[number + 1][0] for number in range(count)]
    return (
        [raw[span[0] : end] for span, end in zip(spans, ends, strict=True)],
        [bytes.fromhex(parsed.txid(number))[::-1] for number in range(count)],
    )


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7])
def test_a_block_is_proved_by_its_root_and_nothing_may_be_changed_added_or_left_out(count):
    transactions, txids = parts(count)
    raw, block_hash = rooted(transactions, txids)
    block.parse(raw, height=1, block_hash=block_hash).prove()
    stranger, _ = parts(8)
    for forged in (
        [*transactions[:-1], stranger[7]],
        [*transactions, stranger[7]],
        transactions[1:],
        [*transactions[1:], transactions[0]] if count > 1 else [],
    ):
        false = raw[:80] + bytes([len(forged)]) + b"".join(forged)
        with pytest.raises(MalformedData):
            block.parse(false, height=1, block_hash=block_hash).prove()
