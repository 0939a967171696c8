"""A Vault as the keystore's key-encryption key: its transit engine wraps and unwraps the data key, which alone passes the wire.

POST /v1/<mount>/encrypt/<key> and /decrypt/<key>, with X-Vault-Token and, where set, X-Vault-Namespace. The keystore's head goes
along as `context` (a derived key then differs for each keystore) and as `associated_data` (which AEAD keys authenticate).
Source: developer.hashicorp.com/vault/api-docs/secret/transit.
What must never happen here: the seed itself on the wire, a token in an error, a certificate that is not checked, or a redirect
that is followed with the token.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from custody import private_files
from custody.key_sources import VaultFailed
from custody.keystore import Cost, Head
from exchange.outgoing import calls

TIMEOUT_S = (5, 20)  # to connect, to answer
ANSWER_SIZE_MAX = 100_000
DATA_KEY_SIZE = 32
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}", re.ASCII)
_MOUNT = re.compile(r"[A-Za-z0-9_./-]{1,100}", re.ASCII)


@dataclass(frozen=True, slots=True)
class VaultTransit:
    """One transit key of one Vault. The token stands in a file that only the signer's user may read."""

    kdf: ClassVar[str] = "vault-transit"
    address: str
    token_file: Path
    key: str
    mount: str = "transit"
    namespace: str = ""
    ca_file: str = ""

    def __post_init__(self) -> None:
        parts = urlsplit(self.address)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise VaultFailed(
                "Vault's address must begin with https://; the data key would pass the wire in the clear."
            )
        if not _NAME.fullmatch(self.key) or not _MOUNT.fullmatch(self.mount) or ".." in self.mount:
            raise VaultFailed("The name of Vault's key or mount has characters that no name has.")

    def head(self, *, cost: Cost) -> Head:
        """Which key of which engine wraps; where Vault is stands in the settings alone."""
        return {"vault_mount": self.mount, "vault_key": self.key}

    def wrap(self, data_key: bytes, *, head: Head, bound: bytes) -> str:
        """Vault's ciphertext ("vault:v1:…"). Raises VaultFailed, FileExposed, OSError."""
        answer = self._ask("encrypt", head, {"plaintext": _text(data_key), **_bound(bound)})
        wrapped = answer.get("ciphertext")
        if not isinstance(wrapped, str) or not wrapped.startswith("vault:v"):
            raise VaultFailed("Vault answered without a ciphertext.")
        return wrapped

    def unwrap(self, wrapped: str, *, head: Head, bound: bytes) -> bytes:
        """The data key. Raises VaultFailed, FileExposed, OSError."""
        plaintext = self._ask("decrypt", head, {"ciphertext": wrapped, **_bound(bound)}).get("plaintext")
        try:
            data_key = base64.b64decode(plaintext or "", validate=True)
        except (TypeError, binascii.Error):
            data_key = b""
        if len(data_key) != DATA_KEY_SIZE:
            raise VaultFailed("Vault answered without a data key in its plaintext.")
        return data_key

    def _ask(self, action: str, head: Head, body: dict[str, str]) -> dict[str, Any]:
        if (head["vault_mount"], head["vault_key"]) != (self.mount, self.key):
            raise VaultFailed(
                f"The keystore is wrapped by {head['vault_mount']}/{head['vault_key']},"
                f" and the settings name {self.mount}/{self.key}."
            )
        url = f"{self.address.rstrip('/')}/v1/{self.mount.strip('/')}/{action}/{self.key}"
        headers = {"X-Vault-Token": self._token(), "X-Vault-Request": "true"}
        if self.namespace:
            headers["X-Vault-Namespace"] = self.namespace
        try:
            connect_s, seconds = TIMEOUT_S
            with calls.Session(
                connect_s=connect_s, seconds=seconds, bytes_max=ANSWER_SIZE_MAX, ca_file=self.ca_file
            ) as session:
                answer = session.post(url, json=body, headers=headers)
        except calls.TooMuch:
            raise VaultFailed("Vault's answer is larger than such an answer can be.") from None
        except calls.Untrusted:
            raise VaultFailed(f"The certificate of {self.address} is not to be trusted.") from None
        except calls.Silent:
            raise VaultFailed(f"Vault at {self.address} did not answer in time.") from None
        except calls.Failed as error:
            raise VaultFailed(f"Vault at {self.address} cannot be reached ({type(error).__name__}).") from None
        return _data(answer, f"{action} with {self.mount}/{self.key}")

    def _token(self) -> str:
        token = private_files.read(self.token_file, size_max=4_096).strip().decode("ascii", "replace")
        if not token or not token.isprintable() or " " in token:
            raise VaultFailed(f"{self.token_file} holds no token.")
        return token


def _data(answer: calls.Response, what: str) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        body = None
    if answer.status_code == 200 and isinstance(body, dict) and isinstance(body.get("data"), dict):
        return dict(body["data"])
    said = "; ".join(map(str, body.get("errors") or ())) if isinstance(body, dict) else ""
    meaning = {
        400: "Vault refused the request",
        403: "Vault does not allow this token",
        404: "Vault has no such engine or key",
        429: "Vault has too many requests",
        503: "Vault is sealed or down",
    }.get(answer.status_code, f"Vault answered with {answer.status_code}")
    raise VaultFailed(f"{meaning}: {what}{f' ({said[:300]})' if said else ''}.")


def _bound(bound: bytes) -> dict[str, str]:
    return {"context": _text(hashlib.sha256(bound).digest()), "associated_data": _text(bound)}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
