"""Programs that trade by API key: they sign as docs/api.md says, and may be told to sign wrongly."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.utils import timezone

from exchange.accounts.keys import services
from tests.integration.api.conftest import ANSWER_S, Customer, Exchange


def public_text(private: Ed25519PrivateKey) -> str:
    return base64.b64encode(private.public_key().public_bytes_raw()).decode()


@dataclass
class Bot:
    """One key and what signs with it."""

    url: str
    user_id: int
    key_id: str
    secret: bytes | Ed25519PrivateKey

    def sign(self, message: bytes) -> str:
        if isinstance(self.secret, bytes):
            return hmac.new(self.secret, message, hashlib.sha256).hexdigest()
        return base64.b64encode(self.secret.sign(message)).decode()

    def headers(
        self, method: str, target: str, body: bytes = b"", *, at_us: int | None = None, window: int | None = None
    ) -> dict[str, str]:
        """The headers of a request for `target`, a path with perhaps a query."""
        parts = urlsplit(target)
        at = str(time.time_ns() // 1_000 if at_us is None else at_us)
        digest = hashlib.sha256(body).hexdigest()
        lines = (self.key_id, at, str(window or 5000), method, parts.path, parts.query, digest)
        told = {
            "X-Bourse-Key": self.key_id,
            "X-Bourse-Timestamp": at,
            "X-Bourse-Signature": self.sign("\n".join(lines).encode()),
        }
        return {**told, "X-Bourse-Window": str(window)} if window is not None else told

    def call(
        self, method: str, path: str, body: Any = None, *, signed: dict[str, Any] | None = None, **headers: str
    ) -> requests.Response:
        """Sends it; `signed` are parts that the signature is made over in place of the real ones."""
        target = f"/api/v1/{path}"
        data = b"" if body is None else json.dumps(body).encode()
        told = self.headers(**{"method": method, "target": target, "body": data, **(signed or {})})
        kind = {"Content-Type": "application/json"} if body is not None else {}
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.request(
            method, f"{self.url}{target}", data=data, headers={**told, **kind, **more}, timeout=ANSWER_S
        )

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.call("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> requests.Response:
        return self.call("POST", path, {} if body is None else body, **options)

    def login(self) -> dict[str, str]:
        """The fields of the websocket's login message."""
        told = self.headers("GET", "/ws/")
        names = {"X-Bourse-Key": "key", "X-Bourse-Timestamp": "timestamp", "X-Bourse-Signature": "signature"}
        return {names[name]: value for name, value in told.items()}


def bot(customer: Customer, kind: str = "hmac", **options: Any) -> Bot:
    """A key of the customer's, made by the service."""
    private = Ed25519PrivateKey.generate()
    made = services.create(
        user_id=customer.user_id,
        label=options.pop("label", "Bot"),
        kind=kind,
        public_key=public_text(private) if kind == "ed25519" else "",
        now=timezone.now(),
        **options,
    )
    return Bot(customer.url, customer.user_id, made.key.key_id, bytes.fromhex(made.secret) if made.secret else private)


def remembering(exchange: Exchange) -> None:
    """The memory of signatures began long ago, as on a server that has run for a minute."""
    exchange.valkey.set("signed:since", 0)
