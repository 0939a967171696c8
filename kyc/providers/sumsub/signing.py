"""The two signatures: ours under each request, theirs under each webhook. Pure.

Requests (docs.sumsub.com/reference/authentication): X-App-Access-Sig is the lower-case hex of HMAC-SHA256, under the token's
secret key, over the timestamp, the method in capitals, the path with its query, and the body's bytes as they are sent.
Webhooks (docs.sumsub.com/docs/webhook-manager, "Verify webhook sender"): X-Payload-Digest is the hex HMAC of the raw body under
the webhook's own secret, X-Payload-Digest-Alg its algorithm. What must never happen here: a body parsed before it is verified,
an algorithm that the sender chose freely (SHA-1, which the service offers for old integrations, is not taken), or a comparison
that stops at the first difference.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from kyc.providers.protocol import SignatureWrong

ALGORITHMS = {"HMAC_SHA256_HEX": hashlib.sha256, "HMAC_SHA512_HEX": hashlib.sha512}


def of_request(secret: str, *, timestamp: int, method: str, path: str, body: bytes) -> str:
    """X-App-Access-Sig."""
    signed = f"{timestamp}{method.upper()}{path}".encode() + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def check_webhook(secret: str, raw_body: bytes, headers: Mapping[str, str]) -> None:
    """Raises SignatureWrong."""
    found = {name.lower(): value for name, value in headers.items()}
    algorithm = ALGORITHMS.get(found.get("x-payload-digest-alg", ""))
    given = found.get("x-payload-digest", "").strip().lower()
    if not secret or algorithm is None or not given.isascii():
        raise SignatureWrong
    if not hmac.compare_digest(hmac.new(secret.encode(), raw_body, algorithm).hexdigest(), given):
        raise SignatureWrong
