"""A partially signed transaction as a file (BIP174, version 0): maps of bytes, read whole and written whole.

Thin on purpose: every key and value stays the bytes it was, so that what another wallet put in goes on to the next one.
What must never happen here: bytes left over, a key twice, a length believed before it is checked, or an exception that is not
MalformedData.
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass

from wallets.chains.protocol import MalformedData
from wallets.chains.utxo import transaction
from wallets.chains.utxo.transaction import Transaction, TxOutput, compact_size

MAGIC = b"psbt\xff"
SIZE_MAX = 8_000_000  # bytes: a hundred inputs, each with the whole transaction that made it
# Global, input and output keys by their first byte (BIP174, BIP371).
TX, XPUB, VERSION, PROPRIETARY = b"\x00", 0x01, b"\xfb", 0xFC
NON_WITNESS_UTXO, WITNESS_UTXO, SIGHASH = b"\x00", b"\x01", b"\x03"
REDEEM_SCRIPT, WITNESS_SCRIPT, FINAL_SCRIPT_SIG, FINAL_WITNESS = b"\x04", b"\x05", b"\x07", b"\x08"
PARTIAL_SIGNATURE, DERIVATION = 0x02, 0x06
TAP_SIGNATURE, TAP_INTERNAL_KEY, TAP_DERIVATION = b"\x13", b"\x17", 0x16
OUT_REDEEM_SCRIPT, OUT_WITNESS_SCRIPT, OUT_DERIVATION = b"\x00", b"\x01", 0x02
OUT_TAP_INTERNAL_KEY, OUT_TAP_DERIVATION = b"\x05", 0x07

Map = dict[bytes, bytes]


@dataclass(slots=True)
class Psbt:
    """One file. `unsigned` is its transaction; the maps hold everything else."""

    unsigned: Transaction
    top: Map
    inputs: list[Map]
    outputs: list[Map]

    def serialize(self) -> bytes:
        """The file's bytes; keys in order, so that the same content is the same file."""
        top = self.top | {TX: self.unsigned.serialize(witness=False)}
        return MAGIC + b"".join(_write(each) for each in (top, *self.inputs, *self.outputs))

    def text(self) -> str:
        """As base64, the way wallets paste it."""
        return base64.b64encode(self.serialize()).decode()


def empty(unsigned: Transaction) -> Psbt:
    """A file that holds the transaction and nothing more."""
    return Psbt(unsigned, {}, [{} for _ in unsigned.inputs], [{} for _ in unsigned.outputs])


def _write(entries: Map) -> bytes:
    parts = [compact_size(len(key)) + key + compact_size(len(value)) + value for key, value in sorted(entries.items())]
    return b"".join(parts) + b"\x00"


def decode_text(data: bytes) -> bytes:
    """The bytes of an uploaded file: as they are, or from the base64 or hex text that wallets also write."""
    if len(data) > 2 * SIZE_MAX:
        raise MalformedData("the file is larger than a transaction can be")
    if data.startswith(MAGIC):
        return data
    text = b"".join(data.split())
    try:
        return bytes.fromhex(text.decode("ascii"))
    except ValueError:
        pass
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return data


def read(data: bytes) -> Psbt:
    """Exactly one file of version 0. Raises MalformedData."""
    if len(data) > SIZE_MAX:
        raise MalformedData("the file is larger than a transaction can be")
    if not data.startswith(MAGIC):
        raise MalformedData("this is not a PSBT file")
    reader = _Reader(data, len(MAGIC))
    top = reader.map()
    if top.get(VERSION, bytes(4)) != bytes(4):
        raise MalformedData("this PSBT is of version 2; save it as version 0")
    raw = top.pop(TX, None)
    if raw is None:
        raise MalformedData("the PSBT has no transaction in it")
    unsigned = transaction.decode(raw)
    if unsigned.serialize(witness=False) != raw or any(coin.script_sig or coin.witness for coin in unsigned.inputs):
        raise MalformedData("the PSBT's transaction is signed already, or not in its canonical form")
    found = Psbt(unsigned, top, [reader.map() for _ in unsigned.inputs], [reader.map() for _ in unsigned.outputs])
    if reader.position != len(data):
        raise MalformedData("bytes are left over after the PSBT")
    return found


class _Reader:
    """Takes maps from the front."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data = data
        self.position = position

    def take(self, length: int) -> bytes:
        end = self.position + length
        if end > len(self.data):
            raise MalformedData("the PSBT ends too early")
        part = self.data[self.position : end]
        self.position = end
        return part

    def count(self) -> int:
        first = self.take(1)[0]
        if first < 0xFD:
            return first
        width = {0xFD: 2, 0xFE: 4, 0xFF: 8}[first]
        number = int.from_bytes(self.take(width), "little")
        if number < (0xFD if width == 2 else 1 << 4 * width):
            raise MalformedData("a count is not written in its shortest form")
        return number

    def map(self) -> Map:
        entries: Map = {}
        while length := self.count():
            key = self.take(length)
            if key in entries:
                raise MalformedData("the PSBT names one thing twice")
            entries[key] = self.take(self.count())
        return entries


def output(data: bytes) -> TxOutput:
    """A WITNESS_UTXO's content. Raises MalformedData."""
    reader = _Reader(data, 0)
    amount = int.from_bytes(reader.take(8), "little")
    script = reader.take(reader.count())
    if reader.position != len(data) or amount >= 1 << 63:
        raise MalformedData("an input's coin is not written as it should be")
    return TxOutput(amount, script)


def witness(data: bytes) -> tuple[bytes, ...]:
    """A FINAL_WITNESS' content. Raises MalformedData."""
    reader = _Reader(data, 0)
    items = tuple(reader.take(reader.count()) for _ in range(min(reader.count(), 100)))
    if reader.position != len(data):
        raise MalformedData("a witness is not written as it should be")
    return items


def origin(fingerprint: bytes, path: tuple[int, ...]) -> bytes:
    """Where a key stands, as derivation entries say it."""
    return fingerprint + b"".join(struct.pack("<I", step) for step in path)


def read_origin(data: bytes) -> tuple[bytes, tuple[int, ...]]:
    """(fingerprint, path) of a derivation entry. Raises MalformedData."""
    if len(data) < 4 or len(data) % 4:
        raise MalformedData("a key's derivation is not written as it should be")
    return data[:4], struct.unpack(f"<{len(data) // 4 - 1}I", data[4:])
