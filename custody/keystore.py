"""The seed at rest: an envelope. A data key encrypts the seed (AES-256-GCM); a key-encryption key wraps the data key.

The key-encryption key comes from a passphrase file by Argon2id, or stays in a Vault that wraps and unwraps for us
(`custody.vault`). The file's public head (how it is wrapped, fingerprint) is authenticated with the seed and, where the source
can, with the wrapped key, so nobody can weaken it unnoticed.
What must never happen here: a seed written in the clear, an existing keystore overwritten (`rewrap` replaces it by one that was
opened first), a file opened that others can read, or a message that tells a wrong passphrase from a damaged file by anything
but chance.
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from custody import private_files

FORMAT = "bourse-keystore"
PASSPHRASE_LENGTH_MIN = 16
# A seed of BIP39's words has 64 bytes; keystores from before the words have 32.
SEED_SIZES = (32, 64)
Head = dict[str, Any]
_FIELDS: dict[str, type] = {
    **dict.fromkeys(("format", "fingerprint", "kdf", "wrapped_key", "sealed_seed"), str),
    "version": int,
}
# What each way of wrapping adds to the head.
_FIELDS_OF: dict[str, dict[str, type]] = {
    "argon2id": {"salt": str, "memory_kib": int, "iterations": int, "lanes": int},
    "vault-transit": {"vault_mount": str, "vault_key": str},
}


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
    """What wraps a data key. `kdf` names the way in the file's head; `bound` is the head, to be authenticated with the key."""

    kdf: ClassVar[str]

    def head(self, *, cost: Cost) -> Head: ...

    def wrap(self, data_key: bytes, *, head: Head, bound: bytes) -> str: ...

    def unwrap(self, wrapped: str, *, head: Head, bound: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class PassphraseFile:
    """A key from a passphrase that stands in a file of the signer's own."""

    kdf: ClassVar[str] = "argon2id"
    path: Path

    def head(self, *, cost: Cost) -> Head:
        """A new salt, and the work."""
        return {"salt": _text(secrets.token_bytes(16)), **asdict(cost)}

    def wrap(self, data_key: bytes, *, head: Head, bound: bytes) -> str:
        """Raises FileExposed, PassphraseWeak, OSError."""
        return _seal(self._derive(head), data_key, bound)

    def unwrap(self, wrapped: str, *, head: Head, bound: bytes) -> bytes:
        """Raises InvalidTag or ValueError for a wrong passphrase or a damaged file; and as `wrap`."""
        return _open(self._derive(head), wrapped, bound)

    def _derive(self, head: Head) -> bytes:
        cost = Cost(head["memory_kib"], head["iterations"], head["lanes"])
        if not cost.fair():
            raise KeystoreUnreadable("the keystore asks for an unfair amount of work")
        passphrase = private_files.read(self.path, size_max=4_096).strip()
        if len(passphrase) < PASSPHRASE_LENGTH_MIN:
            raise PassphraseWeak(f"{self.path} needs at least {PASSPHRASE_LENGTH_MIN} characters")
        return Argon2id(
            salt=_bytes(head["salt"]),
            length=32,
            iterations=cost.iterations,
            lanes=cost.lanes,
            memory_cost=cost.memory_kib,
        ).derive(passphrase)


def create(path: Path, *, key: KeyEncryptionKey, seed: bytes, fingerprint: str, cost: Cost | None = None) -> None:
    """Seals a seed into a new file. Raises FileExistsError when there is one already: a seed is never overwritten."""
    private_files.write_new(path, _sealed(key, seed, fingerprint, cost or Cost()))


def open_seed(path: Path, *, key: KeyEncryptionKey) -> bytes:
    """The seed. Raises KeystoreUnreadable, FileExposed, PassphraseWeak, OSError, and what the key's source raises."""
    body = _body(path)
    if body["kdf"] != key.kdf:
        raise KeystoreUnreadable(f"{path} is wrapped by {body['kdf']}, and this signer is set up for {key.kdf}")
    wrapped, sealed = body.pop("wrapped_key"), body.pop("sealed_seed")
    bound = _canonical(body)
    try:
        data_key = key.unwrap(wrapped, head=body, bound=bound + b"key")
        return _open(data_key, sealed, bound + b"seed")
    except (InvalidTag, ValueError):
        raise KeystoreUnreadable(f"{path} does not open: the passphrase is wrong or the file is damaged") from None


def wrapped_by(path: Path) -> str:
    """How the file's key is wrapped ("argon2id", "vault-transit"). Raises KeystoreUnreadable, FileExposed, OSError."""
    return str(_body(path)["kdf"])


def fingerprint_of(path: Path) -> str:
    """The fingerprint in the file's head, which opening the file proves. Raises as `wrapped_by`."""
    return str(_body(path)["fingerprint"])


def rewrap(path: Path, *, old: KeyEncryptionKey, new: KeyEncryptionKey, cost: Cost | None = None) -> None:
    """The same seed under another key. The old file goes only when the new one has been opened. Raises as `open_seed`."""
    seed = open_seed(path, key=old)
    part = path.with_name(f".{path.name}.rewrapped")
    private_files.replace(part, _sealed(new, seed, fingerprint_of(path), cost or Cost()))
    if open_seed(part, key=new) != seed:
        raise KeystoreUnreadable("the new keystore does not give the same seed; the old one stands as it was")
    part.replace(path)
    private_files.sync_folder(path.parent)


def _sealed(key: KeyEncryptionKey, seed: bytes, fingerprint: str, cost: Cost) -> bytes:
    assert cost.fair() and len(seed) in SEED_SIZES
    data_key = AESGCM.generate_key(bit_length=256)
    head = {"format": FORMAT, "version": 1, "fingerprint": fingerprint, "kdf": key.kdf, **key.head(cost=cost)}
    bound = _canonical(head)
    body = head | {
        "wrapped_key": key.wrap(data_key, head=head, bound=bound + b"key"),
        "sealed_seed": _seal(data_key, seed, bound + b"seed"),
    }
    return json.dumps(body, indent=1).encode() + b"\n"


def _body(path: Path) -> dict[str, Any]:
    try:
        body = json.loads(private_files.read(path))
    except ValueError:
        raise KeystoreUnreadable(f"{path} is not a keystore") from None
    if not isinstance(body, dict) or not isinstance(body.get("kdf"), str):
        raise KeystoreUnreadable(f"{path} is not a keystore")
    fields = _FIELDS | _FIELDS_OF.get(body["kdf"], {})
    if (body.get("format"), body.get("version")) != (FORMAT, 1) or body["kdf"] not in _FIELDS_OF:
        raise KeystoreUnreadable(f"{path} is of a form this signer does not know")
    if {name: type(value) for name, value in body.items()} != fields:
        raise KeystoreUnreadable(f"{path} is not a keystore")
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
