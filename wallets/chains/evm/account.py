"""The text that names a cold account: its address, and before it, if known, where a device finds the key.

`0xAddress` or `[fingerprint/44h/60h/0h/0/0]0xAddress`. What must never happen here: an address whose checksum is wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from wallets.chains.bip32 import HARDENED
from wallets.chains.evm import address as addresses
from wallets.chains.protocol import AddressInvalid

DEFAULT_PATH = (HARDENED + 44, HARDENED + 60, HARDENED, 0, 0)
_FORM = re.compile(
    r"(?:\[(?P<fingerprint>[0-9a-f]{8})(?P<path>(?:/[0-9]{1,10}['h]?){1,10})\])?(?P<address>0x\w{40})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Account:
    """A cold account. `fingerprint` is "" where the text does not say whose device holds it."""

    address: str
    key: bytes
    fingerprint: str
    path: tuple[int, ...]


def parse(text: str) -> Account:
    """Reads the text. Raises AddressInvalid."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise AddressInvalid("a cold account is 0xAddress, or [fingerprint/path]0xAddress")
    address = addresses.parse(found["address"])
    if found["path"] is None:
        return Account(address.text, address.key, "", DEFAULT_PATH)
    return Account(address.text, address.key, found["fingerprint"], tuple(map(_step, found["path"][1:].split("/"))))


def _step(text: str) -> int:
    digits = text.rstrip("'h")
    if int(digits) >= HARDENED:
        raise AddressInvalid("a step of the path is out of range")
    return int(digits) + (HARDENED if text != digits else 0)
