"""AES-256-GCM with everything bound: the cipher, and the bytes of a sealed secret. Pure.

A sealed secret is `format (1) | data key id (8) | nonce (12) | ciphertext and tag`. Purpose, context and key id are bound as
associated data, each with its length before it, so that a value moved to another row or another use does not open.
Nonces are random: NIST SP 800-38D allows 2^32 seals a key, and keys are rotated long before.

What must never happen here: a nonce used twice under one key, or an error that tells why something did not open.
"""

from __future__ import annotations

import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_FORMAT = 1
_NONCE_BYTES = 12
_TAG_BYTES = 16
_HEAD_BYTES = 1 + 8 + _NONCE_BYTES


class Tampered(Exception):
    """The bytes, the key, the purpose or the context are not what they were when it was sealed."""


def new_key() -> bytes:
    """A fresh random key."""
    return os.urandom(KEY_BYTES)


def master_id(master: bytes) -> str:
    """A short name for a master key that gives nothing of it away."""
    return hashlib.sha256(b"bourse master key\x00" + master).hexdigest()[:16]


def wrap(master: bytes, key: bytes, *, purpose: str, version: int) -> bytes:
    """A data key under the master key; bound to its purpose and version."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(master).encrypt(nonce, key, _bind("data key", purpose, str(version)))


def unwrap(master: bytes, wrapped: bytes, *, purpose: str, version: int) -> bytes:
    """The data key; raises Tampered."""
    return _decrypt(master, wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], _bind("data key", purpose, str(version)))


def seal(key: bytes, plaintext: bytes, *, key_id: int, purpose: str, context: str) -> bytes:
    """The plaintext, sealed for that purpose and context."""
    nonce = os.urandom(_NONCE_BYTES)
    head = bytes([_FORMAT]) + key_id.to_bytes(8, "big") + nonce
    return head + AESGCM(key).encrypt(nonce, plaintext, _bind("secret", purpose, context, str(key_id)))


def key_id(sealed: bytes) -> int:
    """The id of the data key a sealed secret needs; raises Tampered where these are no such bytes."""
    if len(sealed) < _HEAD_BYTES + _TAG_BYTES or sealed[0] != _FORMAT:
        raise Tampered
    return int.from_bytes(sealed[1:9], "big")


def open_sealed(key: bytes, sealed: bytes, *, purpose: str, context: str) -> bytes:
    """The plaintext; raises Tampered unless key, purpose, context and every byte are as they were."""
    bound = _bind("secret", purpose, context, str(key_id(sealed)))
    return _decrypt(key, sealed[9:_HEAD_BYTES], sealed[_HEAD_BYTES:], bound)


def _decrypt(key: bytes, nonce: bytes, ciphertext: bytes, bound: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, bound)
    except (InvalidTag, ValueError):
        raise Tampered from None


def _bind(*parts: str) -> bytes:
    return b"".join(len(data).to_bytes(4, "big") + data for data in (part.encode() for part in parts))
