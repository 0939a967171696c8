"""What a program signs, and how its signature is checked. docs/api.md says it for people; nothing else does.

Seven lines joined by newlines: the key's id, the time in milliseconds or microseconds, the window in milliseconds, the method,
the path and the query as they were sent, and the SHA-256 of the body in hexadecimal. HMAC-SHA256 in hexadecimal, or Ed25519 in
base64.
What must never happen here: a part of the request that decides what is done and is not signed, two spellings of one signature,
or a comparison that takes longer the nearer somebody comes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.http import HttpRequest

from exchange.core.errors import NotAuthenticated

KEY_HEADER, TIMESTAMP_HEADER = "X-Bourse-Key", "X-Bourse-Timestamp"
SIGNATURE_HEADER, WINDOW_HEADER = "X-Bourse-Signature", "X-Bourse-Window"
_METAS = ("HTTP_X_BOURSE_KEY", "HTTP_X_BOURSE_TIMESTAMP", "HTTP_X_BOURSE_SIGNATURE", "HTTP_X_BOURSE_WINDOW")
WINDOW_MS, WINDOW_MS_MAX = 5_000, 60_000
AHEAD_MS = 1_000  # a clock that goes before ours by more is refused: so nothing can be signed for later
_KEY = re.compile(r"bk_[0-9a-f]{24}\Z", re.ASCII)
_TIME = re.compile(r"[1-9][0-9]{12}(?:[0-9]{3})?\Z", re.ASCII)
_WINDOW = re.compile(r"[1-9][0-9]{0,4}\Z", re.ASCII)
_HMAC = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
_ED25519 = re.compile(r"[A-Za-z0-9+/]{86}==\Z", re.ASCII)
_NO_SECRET = bytes(32)
_NO_PUBLIC_KEY = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")  # of RFC 8032, 7.1


class SignatureMalformed(NotAuthenticated):
    """A header of the signature is missing, sent twice or of another form."""

    code = "signature_malformed"


class TimestampOutOfWindow(NotAuthenticated):
    """Signed too long ago, or for later."""

    code = "timestamp_out_of_window"


class KeyInvalid(NotAuthenticated):
    """No such key, a revoked one, or another signature than the key makes of this request: the three look the same."""

    code = "key_invalid"

    def __init__(self) -> None:
        super().__init__("There is no such key, or the signature is not this key's for this request.")


@dataclass(frozen=True, slots=True)
class Signed:
    """A request's signature, not checked yet. `digest` names the request in the memory of what was seen."""

    key_id: str
    at_ms: int
    window_ms: int
    message: bytes
    signature: bytes
    kind: str

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.message).digest()[:20]


class Checked(Protocol):
    """What `fits` asks of a key (`accounts.keys.selectors.Material`)."""

    kind: str
    secret: bytes


def of_request(request: HttpRequest) -> Signed | None:
    """What an HTTP request was signed with; None for one that names no key. Raises SignatureMalformed, TimestampOutOfWindow."""
    meta = request.META
    if not any(name in meta for name in _METAS):
        return None
    if "HTTP_X_SESSION_TOKEN" in meta:
        raise SignatureMalformed(f"Send {KEY_HEADER} or X-Session-Token, not both.", param=KEY_HEADER)
    scope: Mapping[str, Any] = getattr(request, "scope", {})
    path = scope.get("raw_path") or quote(request.path, safe="/~").encode()
    return of_parts(
        *(meta.get(name) for name in _METAS),
        method=str(request.method),
        path=path.partition(b"?")[0],
        query=meta.get("QUERY_STRING", "").encode("latin1"),
        body=request.body,
    )


def of_scope(scope: Mapping[str, Any]) -> Signed | None:
    """The same for a websocket's handshake: GET, no body. A header sent twice is read as one with a comma, like over HTTP."""
    names = [name.lower().encode() for name in (KEY_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER, WINDOW_HEADER)]
    found: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name.lower() in names:
            found[name.lower()] = ",".join(filter(None, (found.get(name.lower()), value.decode("latin1"))))
    if not found:
        return None
    path = (scope.get("raw_path") or quote(scope["path"], safe="/~").encode()).partition(b"?")[0]
    return of_parts(*map(found.get, names), method="GET", path=path, query=scope.get("query_string", b""), body=b"")


def of_parts(
    key: str | None,
    timestamp: str | None,
    signature: str | None,
    window: str | None,
    *,
    method: str,
    path: bytes,
    query: bytes,
    body: bytes,
) -> Signed:
    """The same of its parts. Raises SignatureMalformed, TimestampOutOfWindow: neither says anything of any key."""
    key = _formed(key, _KEY, KEY_HEADER, "the key's id, bk_ and 24 hexadecimal digits")
    timestamp = _formed(timestamp, _TIME, TIMESTAMP_HEADER, "the time since 1970 in milliseconds or microseconds")
    given = _formed(window if window is not None else str(WINDOW_MS), _WINDOW, WINDOW_HEADER, "milliseconds")
    at_ms, window_ms = int(timestamp[:13]), int(given)
    if window_ms > WINDOW_MS_MAX:
        raise SignatureMalformed(f"{WINDOW_HEADER} is at most {WINDOW_MS_MAX} ms.", param=WINDOW_HEADER)
    now_ms = time.time_ns() // 1_000_000
    if not now_ms - window_ms <= at_ms <= now_ms + AHEAD_MS:
        raise TimestampOutOfWindow(
            f"Signed at {at_ms}, and it is {now_ms} here: at most {window_ms} ms ago and {AHEAD_MS} ms ahead, please.",
            param=TIMESTAMP_HEADER,
        )
    proof, kind = _proof(signature)
    lines = (key, timestamp, given, method)
    message = b"\n".join((*(line.encode() for line in lines), path, query, hashlib.sha256(body).hexdigest().encode()))
    return Signed(key, at_ms, window_ms, message, proof, kind)


def fits(signed: Signed, key: Checked | None) -> bool:
    """Whether the key made this signature of this request. For none the same work is done, and the answer is no."""
    secret = key.secret if key is not None and key.kind == signed.kind else None
    if signed.kind == "ed25519":
        made = _verified(secret or _NO_PUBLIC_KEY, signed)
    else:
        made = hmac.compare_digest(hmac.digest(secret or _NO_SECRET, signed.message, "sha256"), signed.signature)
    return made and secret is not None


def _verified(public_key: bytes, signed: Signed) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signed.signature, signed.message)
    except InvalidSignature:
        return False
    return True


def _formed(text: str | None, form: re.Pattern[str], name: str, what: str) -> str:
    if text is None or not form.match(text):
        raise SignatureMalformed(f"{name} is missing or malformed: {what}, sent once.", param=name)
    return text


def _proof(text: str | None) -> tuple[bytes, str]:
    """The signature's bytes and kind, of one spelling each."""
    if text is not None and _HMAC.match(text):
        return bytes.fromhex(text), "hmac"
    if text is not None and _ED25519.match(text):
        try:
            found = base64.b64decode(text, validate=True)
        except binascii.Error:
            found = b""
        if base64.b64encode(found).decode() == text:
            return found, "ed25519"
    raise SignatureMalformed(
        f"{SIGNATURE_HEADER} is missing or malformed: HMAC-SHA256 in 64 lower-case hexadecimal digits, or Ed25519 in base64.",
        param=SIGNATURE_HEADER,
    )
