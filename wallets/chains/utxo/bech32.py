"""Bech32 and Bech32m: the text form of segregated-witness addresses (BIP173, BIP350).

What must never happen here: an address of mixed case, a wrong checksum, or the old checksum for version 1 and above, accepted.
"""

from __future__ import annotations

_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES = {character: value for value, character in enumerate(_CHARSET)}
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32 = 1
_BECH32M = 0x2BC830A3
_LENGTH_MAX = 90


def _polymod(values: list[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            if top >> bit & 1:
                checksum ^= generator
    return checksum


def _expand(hrp: str) -> list[int]:
    return [ord(character) >> 5 for character in hrp] + [0] + [ord(character) & 31 for character in hrp]


def _regroup(data: bytes | list[int], width: int, into: int, *, pad: bool) -> list[int] | None:
    accumulator = bits = 0
    groups = []
    for value in data:
        accumulator = accumulator << width | value
        bits += width
        while bits >= into:
            bits -= into
            groups.append(accumulator >> bits & (1 << into) - 1)
    rest = accumulator & (1 << bits) - 1
    if pad:
        if bits:
            groups.append(rest << into - bits)
    elif bits >= width or rest:
        return None
    return groups


def encode(hrp: str, version: int, program: bytes) -> str:
    """The address of a witness program."""
    groups = _regroup(program, 8, 5, pad=True)
    assert groups is not None and 0 <= version <= 16
    data = [version, *groups]
    constant = _BECH32 if version == 0 else _BECH32M
    polymod = _polymod([*_expand(hrp), *data, 0, 0, 0, 0, 0, 0]) ^ constant
    checksum = [polymod >> 5 * (5 - position) & 31 for position in range(6)]
    return hrp + "1" + "".join(_CHARSET[value] for value in data + checksum)


def decode(text: str) -> tuple[str, int, bytes] | None:
    """(human-readable part, witness version, program), or None when this is no valid segwit address."""
    if not 8 <= len(text) <= _LENGTH_MAX or not text.isascii() or (text != text.lower() and text != text.upper()):
        return None
    text = text.lower()
    hrp, separator, rest = text.rpartition("1")
    if not separator or not hrp or len(rest) < 8 or any(not 33 <= ord(character) <= 126 for character in hrp):
        return None
    data = [_VALUES.get(character, -1) for character in rest]
    if -1 in data:
        return None
    version = data[0]
    if _polymod(_expand(hrp) + data) != (_BECH32 if version == 0 else _BECH32M):
        return None
    groups = _regroup(data[1:-6], 5, 8, pad=False)
    if groups is None:
        return None
    program = bytes(groups)
    if version > 16 or not 2 <= len(program) <= 40 or (version == 0 and len(program) not in (20, 32)):
        return None
    return hrp, version, program
