"""Our own parser of `getblock 0`: headers, outputs, spent outpoints, and txids only of what matches.

A full block has thousands of transactions and almost none of them is ours, so everything that costs (hashing a txid, an amount,
writing an outpoint as text) waits until something matches; the loop below notes where each output and each input begins,
and makes no object of its bytes. What must never happen here: a block that is believed although its header does not hash to
the id that was asked for, or an exception that is not MalformedData. `prove` holds the rest against the header, where that is
worth its time.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from operator import itemgetter

from wallets.chains.pieces import Pieces
from wallets.chains.pieces import compact_size as _count
from wallets.chains.protocol import BlockRef, Credit, MalformedData, Spend
from wallets.chains.utxo import payers
from wallets.chains.utxo.transaction import hash256

HEADER_SIZE = 80
_NULL_PREVOUT = b"\0" * 32 + b"\xff" * 4
_unpack_amount = struct.Struct("<Q").unpack_from
_PREVOUT_SIZE = 36
_AMOUNT_SIZE = 8
# Where one transaction lies: its version, the body its txid is hashed from, the lock time; how long its outputs cannot be spent;
# and how many outputs and inputs came before it.
_Span = tuple[int, int, int, int, int, int, int]
_VERSION, _BODY, _BODY_END, _LOCKTIME, _MATURITY, _FIRST_OUTPUT, _FIRST_INPUT = range(7)
_first_output = itemgetter(_FIRST_OUTPUT)
_first_input = itemgetter(_FIRST_INPUT)


@dataclass(slots=True)
class _Parts:
    """What the loop collects, in the block's order: where each script's length stands, and each input's outpoint."""

    spans: list[_Span] = field(default_factory=list)
    scripts: list[int] = field(default_factory=list)
    prevouts: list[int] = field(default_factory=list)


class UtxoBlock:
    """One parsed block. `credits` and `spends` cost by the block's size; a txid is hashed only for what matches."""

    __slots__ = ("_parts", "_raw", "ref")

    def __init__(self, ref: BlockRef, raw: bytes, parts: _Parts):
        self.ref = ref
        self._raw = raw
        self._parts = parts

    def __len__(self) -> int:
        return len(self._parts.spans)

    def outputs(self) -> Pieces:
        """The script of every output, in the block's order."""
        return Pieces(self._raw, self._parts.scripts)

    def inputs(self) -> Pieces:
        """What every input names, as 36 bytes, in the block's order; the coinbase's names nothing."""
        return Pieces(self._raw, self._parts.prevouts, _PREVOUT_SIZE)

    def destinations(self) -> set[bytes]:
        """Every script this block pays."""
        return set(self.outputs())

    def credits(self, to: Container[bytes]) -> list[Credit]:
        """What pays one of these scripts, in the block's order."""
        return self.credits_at(place for place, script in enumerate(self.outputs()) if script in to)

    def credits_at(self, places: Iterable[int]) -> list[Credit]:
        """What these outputs pay; one that pays nothing is left out."""
        found = [self._credit(place) for place in places]
        return [credit for credit in found if credit.amount]

    def spent(self) -> set[str]:
        """Every outpoint this block uses up."""
        return {outpoint(prevout) for prevout in self.inputs() if prevout != _NULL_PREVOUT}

    def spends(self, of: Container[str]) -> list[Spend]:
        """What spends one of these outpoints."""
        return self.spends_at(
            place for place, prevout in enumerate(self.inputs()) if prevout != _NULL_PREVOUT and outpoint(prevout) in of
        )

    def spends_at(self, places: Iterable[int]) -> list[Spend]:
        """What these inputs spend. Nothing is written as text but them."""
        named = self.inputs()
        return [Spend(self.txid(self._owner(place, _first_input)), outpoint(named[place])) for place in places]

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

    def _credit(self, place: int) -> Credit:
        number = self._owner(place, _first_output)
        span = self._parts.spans[number]
        (amount,) = _unpack_amount(self._raw, self._parts.scripts[place] - _AMOUNT_SIZE)
        script = self.outputs()[place]
        vout = str(place - span[_FIRST_OUTPUT])
        whole = self._raw[span[_VERSION] : span[_LOCKTIME] + 4]
        return Credit(
            self.txid(number),
            vout,
            script,
            amount,
            maturity=span[_MATURITY],
            spends=self._spent_by(number),
            payers=payers.of(whole),
            unshown=payers.unshown(whole),
        )

    def _spent_by(self, number: int) -> tuple[str, ...]:
        """Every outpoint that the block's transaction `number` uses up."""
        spans, inputs = self._parts.spans, self.inputs()
        end = spans[number + 1][_FIRST_INPUT] if number + 1 < len(spans) else len(inputs)
        named = (inputs[place] for place in range(spans[number][_FIRST_INPUT], end))
        return tuple(outpoint(prevout) for prevout in named if prevout != _NULL_PREVOUT)


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
            add_prevout(at)
            length = raw[at + 36]
            at += 37
            if length >= 0xFD:
                length, at = _count(raw, at - 1)
            at += length + 4
        output_count = raw[at]
        at += 1
        if output_count >= 0xFD:
            output_count, at = _count(raw, at - 1)
        for _ in range(output_count):
            at += 8
            add_script(at)
            length = raw[at]
            at += 1
            if length >= 0xFD:
                length, at = _count(raw, at - 1)
            at += length
        body_end = at
        if flags & 1:
            at = _skip_witnesses(raw, at, input_count)
        if number == 0 and any(raw.startswith(_NULL_PREVOUT, begin) for begin in prevouts):
            maturity = coinbase_maturity
        if flags & 8:
            at, maturity = _skip_extension(raw, at), peg_maturity
        if at + 4 > size:
            raise MalformedData("the block ends too early")
        add_span((start, body_at, body_end, at, maturity, first_output, first_input))
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
