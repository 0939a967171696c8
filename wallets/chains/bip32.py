"""BIP32, the public half: from an account's extended public key to the public keys below it.

Addresses are derived in the web process with nothing but this; private keys exist in the signer alone.
What must never happen here: an extended private key that is accepted, or hardened derivation.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from functools import lru_cache

import coincurve

from wallets.chains import base58
from wallets.chains.protocol import ChainError

HARDENED = 0x80000000
_PUBLIC_VERSIONS = {bytes.fromhex("0488b21e"): "xpub", bytes.fromhex("043587cf"): "tpub"}
VERSION_OF = {prefix: version for version, prefix in _PUBLIC_VERSIONS.items()}


class ExtendedKeyInvalid(ChainError):
    """Not an extended public key (xpub or tpub)."""

    code = "extended_key_invalid"


@dataclass(frozen=True, slots=True)
class ExtendedPublicKey:
    """A public key and the chain code that its children come from. `key` is compressed, 33 bytes."""

    key: bytes
    chain_code: bytes
    depth: int = 0
    parent_fingerprint: bytes = b"\0\0\0\0"
    number: int = 0

    def child(self, index: int) -> ExtendedPublicKey:
        """CKDpub. Raises ExtendedKeyInvalid for a hardened index and for the one index in 2^127 that has no key."""
        if not 0 <= index < HARDENED:
            raise ExtendedKeyInvalid("only plain child numbers below 2^31 can be derived from a public key")
        digest = hmac.digest(self.chain_code, self.key + index.to_bytes(4, "big"), "sha512")
        try:
            key = coincurve.PublicKey(self.key).add(digest[:32]).format()
        except ValueError:
            raise ExtendedKeyInvalid("there is no key at this index") from None
        return ExtendedPublicKey(key, digest[32:], self.depth + 1, self.fingerprint, index)

    @property
    def fingerprint(self) -> bytes:
        """The first four bytes of the key's hash160."""
        return hash160(self.key)[:4]

    def text(self, prefix: str) -> str:
        """As "xpub…" or "tpub…"."""
        return base58.encode(self.serialize(prefix))

    def serialize(self, prefix: str) -> bytes:
        """The 78 bytes behind the text."""
        head = VERSION_OF[prefix] + bytes([self.depth]) + self.parent_fingerprint + self.number.to_bytes(4, "big")
        return head + self.chain_code + self.key


def hash160(data: bytes) -> bytes:
    """RIPEMD-160 of SHA-256."""
    return hashlib.new("ripemd160", hashlib.sha256(data).digest()).digest()


def parse(xpub: str) -> ExtendedPublicKey:
    """Reads "xpub…" or "tpub…". Raises ExtendedKeyInvalid; never takes a private key, and never repeats one in its message."""
    payload = base58.decode(xpub.strip())
    if payload is None or len(payload) != 78 or payload[:4] not in _PUBLIC_VERSIONS:
        raise ExtendedKeyInvalid("not an extended public key (xpub or tpub)")
    depth, parent, number = payload[4], payload[5:9], int.from_bytes(payload[9:13], "big")
    chain_code, key = payload[13:45], payload[45:]
    if depth == 0 and (parent != b"\0\0\0\0" or number):
        raise ExtendedKeyInvalid("a master key has neither parent nor number")
    try:
        coincurve.PublicKey(key)
    except ValueError:
        raise ExtendedKeyInvalid("the key is not a point of the curve") from None
    return ExtendedPublicKey(key, chain_code, depth, parent, number)


@lru_cache(maxsize=256)
def branch(xpub: str, change: int) -> ExtendedPublicKey:
    """The account's receive (0) or change (1) branch; remembered, because every address of an account asks for it."""
    return parse(xpub).child(change)
