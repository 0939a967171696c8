"""Our own parser of `getblock 0`: headers, outputs, spent outpoints, and txids only of what matches.

A full block has thousands of transactions and almost none of them is ours, so everything that costs (hashing a txid, writing
an outpoint as text) waits until something matches. What must never happen here: a block that is believed although its bytes do
not hash to the id that was asked for, or an exception that is not MalformedData.
"""

from __future__ import annotations

import struct
from collections.abc import Container
from dataclasses import dataclass

from wallets.chains.protocol import BlockRef, Credit, MalformedData, Spend
from wallets.chains.utxo.transaction import hash256

HEADER_SIZE = 80
_NULL_PREVOUT = b"\0" * 32 + b"\xff" * 4
_unpack_amount = struct.Struct("<Q").unpack_from


@dataclass(frozen=True, slots=True)
class _Span:
    """Where one transaction lies: the parts its txid is hashed from; and how long its outputs cannot be spent."""

    version_at: int
    body_at: int
    body_end: int
    locktime_at: int
    maturity: int


class UtxoBlock:
    """One parsed block. `credits` and `spends` cost by the block's size; a txid is hashed only for what matches."""

    __slots__ = ("_inputs", "_outputs", "_raw", "_spans", "ref")

    def __init__(
        self,
        ref: BlockRef,
        raw: bytes,
        spans: list[_Span],
        outputs: list[tuple[int, int, int, bytes]],
        inputs: list[tuple[int, bytes]],
    ):
        self.ref = ref
        self._raw = raw
        self._spans = spans
        self._outputs = outputs
        self._inputs = inputs

    def __len__(self) -> int:
        return len(self._spans)

    def destinations(self) -> set[bytes]:
        """Every script this block pays."""
        return {script for _, _, _, script in self._outputs}

    def credits(self, to: Container[bytes]) -> list[Credit]:
        """What pays one of these scripts, in the block's order."""
        return [
            Credit(self.txid(number), str(vout), script, amount, maturity=self._spans[number].maturity)
            for number, vout, amount, script in self._outputs
            if script in to and amount
        ]

    def spent(self) -> set[str]:
        """Every outpoint this block uses up."""
        return {_outpoint(prevout) for _, prevout in self._inputs}

    def spends(self, of: Container[str]) -> list[Spend]:
        """What spends one of these outpoints."""
        return [
            Spend(self.txid(number), outpoint)
            for number, prevout in self._inputs
            if (outpoint := _outpoint(prevout)) in of
        ]

    def txid(self, number: int) -> str:
        """The txid of the block's transaction `number`."""
        span = self._spans[number]
        raw = self._raw
        return hash256(
            raw[span.version_at : span.version_at + 4]
            + raw[span.body_at : span.body_end]
            + raw[span.locktime_at : span.locktime_at + 4]
        )[::-1].hex()


def _outpoint(prevout: bytes) -> str:
    return f"{prevout[31::-1].hex()}:{int.from_bytes(prevout[32:], 'little')}"


def header(raw: bytes, *, height: int, block_hash: str) -> BlockRef:
    """The place of a block from its first 80 bytes. Raises MalformedData when they do not hash to `block_hash`."""
    if len(raw) < HEADER_SIZE:
        raise MalformedData("the block is shorter than its header")
    if hash256(raw[:HEADER_SIZE])[::-1].hex() != block_hash:
        raise MalformedData("the block's bytes do not hash to the id that was asked for")
    return BlockRef(height, block_hash, raw[35:3:-1].hex(), struct.unpack_from("<I", raw, 68)[0])


def parse(
    raw: bytes, *, height: int, block_hash: str, coinbase_maturity: int = 100, peg_maturity: int = 0
) -> UtxoBlock:
    """A whole block. Raises MalformedData for anything that is not one."""
    ref = header(raw, height=height, block_hash=block_hash)
    spans: list[_Span] = []
    outputs: list[tuple[int, int, int, bytes]] = []
    inputs: list[tuple[int, bytes]] = []
    try:
        count, at = _count(raw, HEADER_SIZE)
        for number in range(count):
            at = _transaction(raw, at, number, spans, outputs, inputs, coinbase_maturity, peg_maturity)
    except (IndexError, struct.error):
        raise MalformedData("the block ends too early") from None
    if at > len(raw):
        raise MalformedData("the block ends too early")
    # Litecoin appends its extension block after the last transaction; elsewhere nothing may follow.
    if at != len(raw) and not (peg_maturity and raw[at] == 1):
        raise MalformedData("bytes are left over after the block")
    return UtxoBlock(ref, raw, spans, outputs, inputs)


def _count(raw: bytes, at: int) -> tuple[int, int]:
    first = raw[at]
    if first < 0xFD:
        return first, at + 1
    if first == 0xFD:
        return raw[at + 1] | raw[at + 2] << 8, at + 3
    if first == 0xFE:
        return struct.unpack_from("<I", raw, at + 1)[0], at + 5
    return struct.unpack_from("<Q", raw, at + 1)[0], at + 9


def _transaction(
    raw: bytes,
    start: int,
    number: int,
    spans: list[_Span],
    outputs: list[tuple[int, int, int, bytes]],
    inputs: list[tuple[int, bytes]],
    coinbase_maturity: int,
    peg_maturity: int,
) -> int:
    at = start + 4
    flags = 0
    if raw[at] == 0:
        flags = raw[at + 1]
        if flags not in (1, 8, 9):
            raise MalformedData("unknown transaction flags")
        at += 2
    body_at = at
    input_count, at = _count(raw, at)
    coinbase = False
    for _ in range(input_count):
        prevout = raw[at : at + 36]
        if prevout == _NULL_PREVOUT:
            coinbase = True
        else:
            inputs.append((number, prevout))
        length = raw[at + 36]
        at += 37
        if length >= 0xFD:
            length, at = _count(raw, at - 1)
        at += length + 4
    output_count, at = _count(raw, at)
    for vout in range(output_count):
        (amount,) = _unpack_amount(raw, at)
        length = raw[at + 8]
        at += 9
        if length >= 0xFD:
            length, at = _count(raw, at - 1)
        end = at + length
        outputs.append((number, vout, amount, raw[at:end]))
        at = end
    body_end = at
    if flags & 1:
        at = _skip_witnesses(raw, at, input_count)
    maturity = coinbase_maturity if coinbase else 0
    if flags & 8:
        # Litecoin's last transaction of a block (HogEx): its own part of the extension block is always absent here.
        if raw[at] != 0:
            raise MalformedData("a transaction carries extension data inside a block")
        at += 1
        maturity = peg_maturity
    if at + 4 > len(raw):
        raise MalformedData("the block ends too early")
    spans.append(_Span(start, body_at, body_end, at, maturity))
    return at + 4


def _skip_witnesses(raw: bytes, at: int, input_count: int) -> int:
    for _ in range(input_count):
        items = raw[at]
        at += 1
        if items >= 0xFD:
            items, at = _count(raw, at - 1)
        for _ in range(items):
            length = raw[at]
            at += 1
            if length >= 0xFD:
                length, at = _count(raw, at - 1)
            at += length
    return at
