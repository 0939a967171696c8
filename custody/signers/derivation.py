"""BIP32, the private half: from the seed down to one key, and the paths that this house uses.

Sources: BIP32, BIP84 (m/84'/coin'/account'/change/index), BIP44 for Ethereum (m/44'/60'/account'/0/index).
What must never happen here: a private key in an exception or in a repr.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

import coincurve

from wallets.chains.bip32 import HARDENED, ExtendedPublicKey, hash160
from wallets.chains.protocol import ChainError

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_DEPTH_MAX = 10


class PathInvalid(ChainError):
    """Not a derivation path, or none that this house uses."""

    code = "path_invalid"


class KeyMissing(ChainError):
    """There is no key at this index (one in 2^127)."""

    code = "key_missing"


@dataclass(frozen=True, slots=True)
class ExtendedPrivateKey:
    """A private key and its chain code. Its repr shows neither."""

    secret: bytes = field(repr=False)
    chain_code: bytes = field(repr=False)
    depth: int = 0
    parent_fingerprint: bytes = b"\0\0\0\0"
    number: int = 0

    @classmethod
    def from_seed(cls, seed: bytes) -> ExtendedPrivateKey:
        """The master key of a seed of 16 to 64 bytes. Raises KeyMissing."""
        if not 16 <= len(seed) <= 64:
            raise KeyMissing("a seed has 16 to 64 bytes")
        digest = hmac.digest(b"Bitcoin seed", seed, "sha512")
        if not 0 < int.from_bytes(digest[:32], "big") < _ORDER:
            raise KeyMissing("this seed has no master key")
        return cls(digest[:32], digest[32:])

    def child(self, number: int) -> ExtendedPrivateKey:
        """CKDpriv; numbers from 2^31 on are hardened."""
        head = b"\0" + self.secret if number >= HARDENED else self.public_key
        digest = hmac.digest(self.chain_code, head + number.to_bytes(4, "big"), "sha512")
        tweak = int.from_bytes(digest[:32], "big")
        secret = (tweak + int.from_bytes(self.secret, "big")) % _ORDER
        if tweak >= _ORDER or not secret:
            raise KeyMissing("there is no key at this index")
        return ExtendedPrivateKey(
            secret.to_bytes(32, "big"), digest[32:], self.depth + 1, hash160(self.public_key)[:4], number
        )

    def descend(self, path: str) -> ExtendedPrivateKey:
        """The key at "m/84'/0'/0'/0/5" below this one. Raises PathInvalid."""
        key = self
        for number in numbers(path):
            key = key.child(number)
        return key

    @property
    def public_key(self) -> bytes:
        """The compressed public key, 33 bytes."""
        return coincurve.PrivateKey(self.secret).public_key.format()

    def public(self) -> ExtendedPublicKey:
        """The public half, from which addresses are derived elsewhere."""
        return ExtendedPublicKey(self.public_key, self.chain_code, self.depth, self.parent_fingerprint, self.number)


def numbers(path: str) -> tuple[int, ...]:
    """A path's child numbers. Raises PathInvalid."""
    head, *parts = path.split("/")
    if head != "m" or len(parts) > _DEPTH_MAX:
        raise PathInvalid("a path begins with m and has at most ten steps")
    found = []
    for part in parts:
        digits = part.removesuffix("'")
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= 10) or int(digits) >= HARDENED:
            raise PathInvalid("a step of the path is not a child number")
        found.append(int(digits) + (HARDENED if part.endswith("'") else 0))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key stands below an account: branch 0 receives, branch 1 takes change."""

    account: int
    branch: int
    index: int


def account_path(*, family: str, coin_type: int, account: int) -> str:
    """The path of an account of a chain. `custody.accounts` says which account is for what."""
    return f"m/84'/{coin_type}'/{account}'" if family == "utxo" else f"m/44'/60'/{account}'"


def place(path: str, *, family: str, coin_type: int) -> Place | None:
    """Where a key path of that chain leads to; None for a path of another form, coin or purpose."""
    try:
        steps = numbers(path)
    except PathInvalid:
        return None
    if len(steps) != 5 or steps[2] < HARDENED or max(steps[3:]) >= HARDENED:
        return None
    account = steps[2] - HARDENED
    if steps[:3] != numbers(account_path(family=family, coin_type=coin_type, account=account)):
        return None
    return Place(account, steps[3], steps[4])
