"""A transaction of the family: bytes to values and back, ids, sizes, and the BIP143 digest that a P2WPKH input signs.

Everything that is signed or broadcast passes through `decode`: it takes exactly one transaction, canonical and whole.
What must never happen here: bytes left over, a length believed before it is checked, or an exception that is not MalformedData.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from hashlib import sha256

from wallets.chains.protocol import MalformedData

SIGHASH_ALL = 1
SIZE_MAX = 400_000  # bytes; a standard transaction weighs at most 400,000 units
REPLACEABLE = 0xFFFFFFFD  # BIP125
_WITNESS_FLAG, _MWEB_FLAG = 1, 8


def hash256(data: bytes) -> bytes:
    """SHA-256 twice."""
    return sha256(sha256(data).digest()).digest()


def compact_size(number: int) -> bytes:
    """Bitcoin's variable-length count."""
    if number < 0xFD:
        return bytes([number])
    if number <= 0xFFFF:
        return b"\xfd" + number.to_bytes(2, "little")
    return b"\xfe" + number.to_bytes(4, "little")


@dataclass(frozen=True, slots=True)
class TxInput:
    """A coin spent. `txid` as people write it (reversed hex); `witness` empty until signed."""

    txid: str
    vout: int
    script_sig: bytes = b""
    sequence: int = REPLACEABLE
    witness: tuple[bytes, ...] = ()

    @property
    def outpoint(self) -> str:
        return f"{self.txid}:{self.vout}"

    def prevout(self) -> bytes:
        return bytes.fromhex(self.txid)[::-1] + struct.pack("<I", self.vout)


@dataclass(frozen=True, slots=True)
class TxOutput:
    """A coin made; `amount` in base units."""

    amount: int
    script: bytes

    def serialize(self) -> bytes:
        return struct.pack("<q", self.amount) + compact_size(len(self.script)) + self.script


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction. Immutable: signing makes a new one."""

    inputs: tuple[TxInput, ...]
    outputs: tuple[TxOutput, ...]
    version: int = 2
    locktime: int = 0

    @property
    def txid(self) -> str:
        return hash256(self.serialize(witness=False))[::-1].hex()

    @property
    def replaceable(self) -> bool:
        """Whether it signals that its sender may replace it (BIP125)."""
        return any(coin.sequence <= REPLACEABLE for coin in self.inputs)

    @property
    def vsize(self) -> int:
        """Virtual size in vbytes (BIP141)."""
        return (3 * len(self.serialize(witness=False)) + len(self.serialize()) + 3) // 4

    def serialize(self, *, witness: bool = True) -> bytes:
        """The bytes as they are broadcast, or without witnesses as the txid is taken from."""
        segwit = witness and any(coin.witness for coin in self.inputs)
        parts = [struct.pack("<i", self.version), b"\x00\x01" if segwit else b"", compact_size(len(self.inputs))]
        for coin in self.inputs:
            parts += [
                coin.prevout(),
                compact_size(len(coin.script_sig)),
                coin.script_sig,
                struct.pack("<I", coin.sequence),
            ]
        parts.append(compact_size(len(self.outputs)))
        parts += [output.serialize() for output in self.outputs]
        if segwit:
            for coin in self.inputs:
                parts.append(compact_size(len(coin.witness)))
                parts += [compact_size(len(item)) + item for item in coin.witness]
        parts.append(struct.pack("<I", self.locktime))
        return b"".join(parts)

    def digest(self, position: int, *, key_hash: bytes, amount: int) -> bytes:
        """What input `position`, a P2WPKH coin of `amount`, signs with SIGHASH_ALL (BIP143)."""
        coin = self.inputs[position]
        prevouts = hash256(b"".join(each.prevout() for each in self.inputs))
        sequences = hash256(b"".join(struct.pack("<I", each.sequence) for each in self.inputs))
        outputs = hash256(b"".join(each.serialize() for each in self.outputs))
        script_code = b"\x19\x76\xa9\x14" + key_hash + b"\x88\xac"
        return hash256(
            struct.pack("<i", self.version)
            + prevouts
            + sequences
            + coin.prevout()
            + script_code
            + struct.pack("<q", amount)
            + struct.pack("<I", coin.sequence)
            + outputs
            + struct.pack("<II", self.locktime, SIGHASH_ALL)
        )

    def with_witnesses(self, witnesses: tuple[tuple[bytes, ...], ...]) -> Transaction:
        """The same transaction with a witness for each input."""
        assert len(witnesses) == len(self.inputs)
        signed = tuple(replace(coin, witness=items) for coin, items in zip(self.inputs, witnesses, strict=True))
        return replace(self, inputs=signed)


class _Reader:
    """Takes bytes from the front; every shortage is MalformedData."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, length: int) -> bytes:
        end = self.position + length
        if end > len(self.data):
            raise MalformedData("the transaction ends too early")
        part = self.data[self.position : end]
        self.position = end
        return part

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "little")

    def count(self) -> int:
        first = self.number(1)
        if first < 0xFD:
            return first
        width = {0xFD: 2, 0xFE: 4, 0xFF: 8}[first]
        number = self.number(width)
        if number < (0xFD if width == 2 else 1 << 4 * width):
            raise MalformedData("a count is not written in its shortest form")
        return number

    def item(self) -> bytes:
        return self.take(self.count())

    def items(self) -> tuple[bytes, ...]:
        return tuple(self.item() for _ in range(self.bounded(1)))

    def bounded(self, size_min: int) -> int:
        """A count of things that take at least `size_min` bytes each: refused at once when they cannot all be there."""
        number = self.count()
        if number * size_min > len(self.data) - self.position:
            raise MalformedData("more is announced than the bytes can hold")
        return number


def decode(raw: bytes) -> Transaction:
    """Exactly one transaction. Raises MalformedData; never reads beyond, never leaves a byte."""
    if len(raw) > SIZE_MAX:
        raise MalformedData("the transaction is too large")
    reader = _Reader(raw)
    version = struct.unpack("<i", reader.take(4))[0]
    flags = 0
    if raw[4:5] == b"\x00" and raw[5:6] != b"\x00":
        reader.take(1)
        flags = reader.number(1)
        if flags & ~(_WITNESS_FLAG | _MWEB_FLAG):
            raise MalformedData("unknown transaction flags")
    bare = [(reader.take(36), reader.item(), reader.number(4)) for _ in range(reader.bounded(41))]
    outputs = []
    for _ in range(reader.bounded(9)):
        amount = reader.number(8)
        if amount >= 1 << 63:
            raise MalformedData("an amount is negative")
        outputs.append(TxOutput(amount, reader.item()))
    witnesses = [reader.items() if flags & _WITNESS_FLAG else () for _ in bare]
    if flags & _WITNESS_FLAG and not any(witnesses):
        raise MalformedData("a witness is announced, and there is none")
    if flags & _MWEB_FLAG:
        # Litecoin's extension block part: opaque to us; it stands between the witnesses and the lock time.
        reader.position = max(reader.position, len(raw) - 4)
    locktime = reader.number(4)
    if reader.position != len(raw):
        raise MalformedData("bytes are left over after the transaction")
    inputs = tuple(
        TxInput(prevout[31::-1].hex(), int.from_bytes(prevout[32:], "little"), script_sig, sequence, witness)
        for (prevout, script_sig, sequence), witness in zip(bare, witnesses, strict=True)
    )
    return Transaction(inputs, tuple(outputs), version, locktime)
