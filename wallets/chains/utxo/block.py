"""Our own parser of `getblock 0`: headers, outputs, spent outpoints, and txids only of what matches.

A full block has thousands of transactions and almost none of them is ours, so everything that costs (hashing a txid, an amount,
writing an outpoint as text) waits until something matches; the loop below makes one slice an output and one an input, and no
object more. What must never happen here: a block that is believed although its header does not hash to the id that was
asked for, or an exception that is not MalformedData. `prove` holds the rest against the header, where that is worth its time.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Container
from dataclasses import dataclass, field
from operator import itemgetter

from wallets.chains.protocol import BlockRef, Credit, MalformedData, Spend
from wallets.chains.utxo.transaction import hash256

HEADER_SIZE = 80
_NULL_PREVOUT = b"\0" * 32 + b"\xff" * 4
_unpack_amount = struct.Struct("<Q").unpack_from
# Where one transaction lies: its version, the body its txid is hashed from, the outputs in it, the lock time; how long its
# outputs cannot be spent; and how many outputs and inputs came before it.
_Span = tuple[int, int, int, int, int, int, int, int]
_VERSION, _BODY, _BODY_END, _OUTPUTS, _LOCKTIME, _MATURITY, _FIRST_OUTPUT, _FIRST_INPUT = range(8)
_first_output = itemgetter(_FIRST_OUTPUT)
_first_input = itemgetter(_FIRST_INPUT)


@dataclass(slots=True)
class _Parts:
    """What the loop collects, in the block's order."""

    spans: list[_Span] = field(default_factory=list)
    scripts: list[bytes] = field(default_factory=list)
    prevouts: list[bytes] = field(default_factory=list)


class UtxoBlock:
    """One parsed block. `credits` and `spends` cost by the block's size; a txid is hashed only for what matches."""

    __slots__ = ("_parts", "_raw", "ref")

    def __init__(self, ref: BlockRef, raw: bytes, parts: _Parts):
        self.ref = ref
        self._raw = raw
        self._parts = parts

    def __len__(self) -> int:
        return len(self._parts.spans)

    def destinations(self) -> set[bytes]:
        """Every script this block pays."""
        return set(self._parts.scripts)

    def credits(self, to: Container[bytes]) -> list[Credit]:
        """What pays one of these scripts, in the block's order."""
        found = [self._credit(place, script) for place, script in enumerate(self._parts.scripts) if script in to]
        return [credit for credit in found if credit.amount]

    def prevouts(self) -> list[bytes]:
        """What every input of this block names, as 36 bytes; the coinbase's names nothing."""
        return self._parts.prevouts

    def spent(self) -> set[str]:
        """Every outpoint this block uses up."""
        return {outpoint(prevout) for prevout in self._parts.prevouts if prevout != _NULL_PREVOUT}

    def spends(self, of: Container[str]) -> list[Spend]:
        """What spends one of these outpoints."""
        return [
            Spend(self.txid(self._owner(place, _first_input)), text)
            for place, prevout in enumerate(self._parts.prevouts)
            if prevout != _NULL_PREVOUT and (text := outpoint(prevout)) in of
        ]

    def spends_of(self, prevouts: Container[bytes]) -> list[Spend]:
        """The same, asked by the outpoints' 36 bytes: nothing is written as text but what matches."""
        return [
            Spend(self.txid(self._owner(place, _first_input)), outpoint(prevout))
            for place, prevout in enumerate(self._parts.prevouts)
            if prevout in prevouts
        ]

    def txid(self, number: int) -> str:
        """The txid of the block's transaction `number`."""
        span = self._parts.spans[number]
        raw = self._raw
        return hash256(
            raw[span[_VERSION] : span[_VERSION] + 4]
            + raw[span[_BODY] : span[_BODY_END]]
            + raw[span[_LOCKTIME] : span[_LOCKTIME] + 4]
        )[::-1].hex()

    def prove(self) -> None:
        """Holds the transactions against the header's Merkle root. Raises MalformedData. Costs a hash a transaction."""
        level = [bytes.fromhex(self.txid(number))[::-1] for number in range(len(self))]
        if not level:
            raise MalformedData("the block is empty")
        while len(level) > 1:
            if len(level) % 2:
                level.append(level[-1])
            level = [hash256(level[at] + level[at + 1]) for at in range(0, len(level), 2)]
        if level[0] != self._raw[36:68]:
            raise MalformedData("the block's transactions are not those of its header")

    def _owner(self, place: int, first: itemgetter[int]) -> int:
        """The transaction of the block's output or input number `place`."""
        return bisect_right(self._parts.spans, place, key=first) - 1

    def _credit(self, place: int, script: bytes) -> Credit:
        number = self._owner(place, _first_output)
        span = self._parts.spans[number]
        vout, at = place - span[_FIRST_OUTPUT], span[_OUTPUTS]
        for _ in range(vout):
            length, at = _count(self._raw, at + 8)
            at += length
        (amount,) = _unpack_amount(self._raw, at)
        return Credit(self.txid(number), str(vout), script, amount, maturity=span[_MATURITY])


def outpoint(prevout: bytes) -> str:
    """36 bytes as they stand in an input, as "txid:vout"."""
    return f"{prevout[31::-1].hex()}:{int.from_bytes(prevout[32:], 'little')}"


def prevout(txid: str, vout: int) -> bytes:
    """The 36 bytes by which an input names this output."""
    return bytes.fromhex(txid)[::-1] + vout.to_bytes(4, "little")


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
    try:
        count, at = _count(raw, HEADER_SIZE)
        parts, at = _transactions(raw, at, count, coinbase_maturity, peg_maturity)
    except (IndexError, struct.error):
        raise MalformedData("the block ends too early") from None
    if at > len(raw):
        raise MalformedData("the block ends too early")
    # Litecoin appends its extension block after the last transaction; elsewhere nothing may follow.
    if at != len(raw) and not (peg_maturity and raw[at] == 1):
        raise MalformedData("bytes are left over after the block")
    return UtxoBlock(ref, raw, parts)


def _count(raw: bytes, at: int) -> tuple[int, int]:
    first = raw[at]
    if first < 0xFD:
        return first, at + 1
    if first == 0xFD:
        return raw[at + 1] | raw[at + 2] << 8, at + 3
    if first == 0xFE:
        return struct.unpack_from("<I", raw, at + 1)[0], at + 5
    return struct.unpack_from("<Q", raw, at + 1)[0], at + 9


def _transactions(raw: bytes, at: int, count: int, coinbase_maturity: int, peg_maturity: int) -> tuple[_Parts, int]:
    """Every transaction from `at` on. One long function, because a call for each part would cost more than the part."""
    parts = _Parts()
    scripts, prevouts, add_span = parts.scripts, parts.prevouts, parts.spans.append
    add_script, add_prevout = scripts.append, prevouts.append
    size = len(raw)
    for number in range(count):
        start, first_output, first_input = at, len(scripts), len(prevouts)
        maturity = flags = 0
        at += 4
        if raw[at] == 0:
            flags = raw[at + 1]
            if flags not in (1, 8, 9):
                raise MalformedData("unknown transaction flags")
            at += 2
        body_at = at
        input_count = raw[at]
        at += 1
        if input_count >= 0xFD:
            input_count, at = _count(raw, at - 1)
        for _ in range(input_count):
            add_prevout(raw[at : at + 36])
            length = raw[at + 36]
            at += 37
            if length >= 0xFD:
                length, at = _count(raw, at - 1)
            at += length + 4
        output_count = raw[at]
        outputs_at = at = at + 1
        if output_count >= 0xFD:
            output_count, at = _count(raw, at - 1)
            outputs_at = at
        for _ in range(output_count):
            length = raw[at + 8]
            at += 9
            if length >= 0xFD:
                length, at = _count(raw, at - 1)
            add_script(raw[at : at + length])
            at += length
        body_end = at
        if flags & 1:
            at = _skip_witnesses(raw, at, input_count)
        if number == 0 and _NULL_PREVOUT in prevouts:
            maturity = coinbase_maturity
        if flags & 8:
            at, maturity = _skip_extension(raw, at), peg_maturity
        if at + 4 > size:
            raise MalformedData("the block ends too early")
        add_span((start, body_at, body_end, outputs_at, at, maturity, first_output, first_input))
        at += 4
    return parts, at


def _skip_extension(raw: bytes, at: int) -> int:
    """Litecoin's last transaction of a block (HogEx): its own part of the extension block is always absent here."""
    if raw[at] != 0:
        raise MalformedData("a transaction carries extension data inside a block")
    return at + 1


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
