"""Ethereum addresses: EIP-55 checksums, and the address of a public key.

What must never happen here: a mixed-case address whose checksum is wrong, or the zero address, accepted.
"""

from __future__ import annotations

import re

import coincurve
from eth_hash.auto import keccak

from wallets.chains.protocol import Address, AddressInvalid

_FORM = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)


def checksummed(key: bytes) -> str:
    """The EIP-55 text of 20 bytes."""
    assert len(key) == 20
    text = key.hex()
    digest = keccak(text.encode()).hex()
    return "0x" + "".join(letter.upper() if int(digest[at], 16) >= 8 else letter for at, letter in enumerate(text))


def parse(text: str) -> Address:
    """The checksummed text and the 20 bytes. All-lower and all-upper carry no checksum and pass. Raises AddressInvalid."""
    text = text.strip()
    if not _FORM.fullmatch(text):
        raise AddressInvalid("an Ethereum address is 0x and 40 hexadecimal digits")
    key = bytes.fromhex(text[2:])
    canonical = checksummed(key)
    body = text[2:]
    if body not in (body.lower(), body.upper()) and text != canonical:
        raise AddressInvalid("the address's checksum (its upper and lower case) is wrong")
    if not any(key):
        raise AddressInvalid("coins sent to the zero address are lost")
    return Address(canonical, key)


def of_public_key(key: bytes) -> bytes:
    """The 20 bytes that belong to a public key (compressed or not). Raises AddressInvalid."""
    try:
        return keccak(coincurve.PublicKey(key).format(compressed=False)[1:])[12:]
    except ValueError:
        raise AddressInvalid("not a public key") from None
