"""The seed at rest: an envelope. A data key encrypts the seed (AES-256-GCM); a key-encryption key wraps the data key.

The key-encryption key comes from a passphrase file by Argon2id; another source only has to give 32 bytes for a salt. The file's
public head (parameters, fingerprint) is authenticated with the seed, so nobody can weaken it unnoticed.
What must never happen here: a seed written in the clear, an existing keystore overwritten, a file opened that others can read, or
a message that tells a wrong passphrase from a damaged file by anything but chance.
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from custody import private_files

FORMAT = "bourse-keystore"
PASSPHRASE_LENGTH_MIN = 16
SEED_SIZE = 32
_FIELDS = dict.fromkeys(("format", "fingerprint", "kdf", "salt", "wrapped_key", "sealed_seed"), str) | dict.fromkeys(
    ("version", "memory_kib", "iterations", "lanes"), int
)


class KeystoreUnreadable(RuntimeError):
    """The keystore is not one of ours, is damaged, or the passphrase is wrong."""


class PassphraseWeak(RuntimeError):
    """The passphrase file holds fewer characters than a keystore is worth."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Argon2id's work: the memory in KiB, the passes over it, the lanes (RFC 9106)."""

    memory_kib: int = 262_144
    iterations: int = 3
    lanes: int = 4

    def fair(self) -> bool:
        """Neither so cheap that a stolen file can be guessed, nor so dear that a doctored file ties up the machine."""
        return 19_456 <= self.memory_kib <= 4_194_304 and 2 <= self.iterations <= 20 and 1 <= self.lanes <= 16


class KeyEncryptionKey(Protocol):
    """Where the key that wraps the data key comes from."""

    def derive(self, *, salt: bytes, cost: Cost) -> bytes: ...


@dataclass(frozen=True, slots=True)
class PassphraseFile:
    """A key from a passphrase that stands in a file of the signer's own."""

    path: Path

    def derive(self, *, salt: bytes, cost: Cost) -> bytes:
        """32 bytes. Raises FileExposed, PassphraseWeak, OSError."""
        passphrase = private_files.read(self.path, size_max=4_096).strip()
        if len(passphrase) < PASSPHRASE_LENGTH_MIN:
            raise PassphraseWeak(f"{self.path} needs at least {PASSPHRASE_LENGTH_MIN} characters")
        return Argon2id(
            salt=salt, length=32, iterations=cost.iterations, lanes=cost.lanes, memory_cost=cost.memory_kib
        ).derive(passphrase)


def create(path: Path, *, key: KeyEncryptionKey, seed: bytes, fingerprint: str, cost: Cost | None = None) -> None:
    """Seals a seed into a new file. Raises FileExistsError when there is one already: a seed is never overwritten."""
    cost = cost or Cost()
    assert cost.fair() and len(seed) == SEED_SIZE
    salt, data_key = secrets.token_bytes(16), AESGCM.generate_key(bit_length=256)
    head = {
        "format": FORMAT,
        "version": 1,
        "fingerprint": fingerprint,
        "kdf": "argon2id",
        "salt": _text(salt),
        **asdict(cost),
    }
    bound = _canonical(head)
    body = head | {
        "wrapped_key": _seal(key.derive(salt=salt, cost=cost), data_key, bound + b"key"),
        "sealed_seed": _seal(data_key, seed, bound + b"seed"),
    }
    private_files.write_new(path, json.dumps(body, indent=1).encode() + b"\n")


def open_seed(path: Path, *, key: KeyEncryptionKey) -> bytes:
    """The seed. Raises KeystoreUnreadable, FileExposed, PassphraseWeak, OSError."""
    body = _body(path)
    cost = Cost(body["memory_kib"], body["iterations"], body["lanes"])
    if not cost.fair():
        raise KeystoreUnreadable(f"{path} asks for an unfair amount of work")
    wrapped, sealed = body.pop("wrapped_key"), body.pop("sealed_seed")
    bound = _canonical(body)
    try:
        data_key = _open(key.derive(salt=_bytes(body["salt"]), cost=cost), wrapped, bound + b"key")
        return _open(data_key, sealed, bound + b"seed")
    except (InvalidTag, ValueError):
        raise KeystoreUnreadable(f"{path} does not open: the passphrase is wrong or the file is damaged") from None


def _body(path: Path) -> dict[str, Any]:
    try:
        body = json.loads(private_files.read(path))
    except ValueError:
        raise KeystoreUnreadable(f"{path} is not a keystore") from None
    if not isinstance(body, dict) or {name: type(value) for name, value in body.items()} != _FIELDS:
        raise KeystoreUnreadable(f"{path} is not a keystore")
    if (body["format"], body["version"], body["kdf"]) != (FORMAT, 1, "argon2id"):
        raise KeystoreUnreadable(f"{path} is of a form this signer does not know")
    return body


def _canonical(head: dict[str, Any]) -> bytes:
    return json.dumps(head, sort_keys=True, separators=(",", ":")).encode()


def _seal(key: bytes, plaintext: bytes, bound: bytes) -> str:
    nonce = secrets.token_bytes(12)
    return _text(nonce + AESGCM(key).encrypt(nonce, plaintext, bound))


def _open(key: bytes, sealed: str, bound: bytes) -> bytes:
    data = _bytes(sealed)
    return AESGCM(key).decrypt(data[:12], data[12:], bound)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
