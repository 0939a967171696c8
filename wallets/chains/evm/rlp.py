"""RLP, strictly: one way to write a value, nothing left over, and a depth that cannot exhaust the stack.

Source: Ethereum's yellow paper, appendix B. What must never happen here: two byte strings that decode to the same value.
"""

from __future__ import annotations

from wallets.chains.protocol import MalformedData

Item = bytes | list["Item"]
_DEPTH_MAX = 4  # an access list, the deepest thing in a transaction, has three levels below the payload


def integer(number: int) -> bytes:
    """A number as RLP wants it: big-endian without leading zeros, zero as nothing."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def encode(item: Item) -> bytes:
    """The bytes of a byte string or of a list."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:
            return item
        return _head(len(item), 0x80) + item
    body = b"".join(encode(part) for part in item)
    return _head(len(body), 0xC0) + body


def _head(length: int, offset: int) -> bytes:
    if length < 56:
        return bytes([offset + length])
    size = integer(length)
    return bytes([offset + 55 + len(size)]) + size


def decode(data: bytes) -> Item:
    """Exactly one item. Raises MalformedData."""
    item, end = _decode(data, 0, len(data), 0)
    if end != len(data):
        raise MalformedData("bytes are left over after the RLP item")
    return item


def _decode(data: bytes, at: int, limit: int, depth: int) -> tuple[Item, int]:
    if depth > _DEPTH_MAX:
        raise MalformedData("RLP lists are nested too deeply")
    if at >= limit:
        raise MalformedData("an RLP item is missing")
    head = data[at]
    if head < 0x80:
        return data[at : at + 1], at + 1
    is_list = head >= 0xC0
    short = head - (0xC0 if is_list else 0x80)
    start, length = (at + 1, short) if short < 56 else _long(data, at + 1, short - 55, limit)
    end = start + length
    if end > limit:
        raise MalformedData("an RLP item is cut off")
    if not is_list:
        if length == 1 and data[start] < 0x80:
            raise MalformedData("an RLP byte is written the long way")
        return data[start:end], end
    items: list[Item] = []
    while start < end:
        item, start = _decode(data, start, end, depth + 1)
        items.append(item)
    return items, end


def _long(data: bytes, at: int, width: int, limit: int) -> tuple[int, int]:
    size = data[at : at + width]
    if at + width > limit or size[0] == 0:
        raise MalformedData("an RLP length is cut off or padded")
    length = int.from_bytes(size, "big")
    if length < 56:
        raise MalformedData("an RLP length is written the long way")
    return at + width, length
