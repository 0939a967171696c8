"""A passkey in software: makes credentials and signs log-ins as a phone does (WebAuthn level 2, ES256, no attestation)."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData

_FLAGS = AuthenticatorData.FLAG


class Passkey:
    """One credential of one site, kept with its user's handle."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = secrets.token_bytes(32)
        self.user_handle = b""
        self.used = 0

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """The answer to `navigator.credentials.create`, as JSON."""
        asked = options["publicKey"]
        self.user_handle = websafe_decode(asked["user"]["id"])
        known = AttestedCredentialData.create(bytes(16), self.id, ES256.from_cryptography_key(self.key.public_key()))
        data = AuthenticatorData.create(
            self._rp(asked["rp"]["id"]), _FLAGS.UP | _FLAGS.UV | _FLAGS.AT, self.used, known
        )
        client = CollectedClientData.create(
            type="webauthn.create", challenge=websafe_decode(asked["challenge"]), origin=self.origin
        )
        response = {
            "clientDataJSON": websafe_encode(client),
            "attestationObject": websafe_encode(AttestationObject.create("none", data, {})),
        }
        return {**self._named(response), "clientExtensionResults": {"credProps": {"rk": True}}}

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """The answer to `navigator.credentials.get`."""
        asked = options["publicKey"]
        self.used += 1
        data = AuthenticatorData.create(self._rp(asked["rpId"]), _FLAGS.UP | _FLAGS.UV, self.used)
        client = CollectedClientData.create(
            type="webauthn.get", challenge=websafe_decode(asked["challenge"]), origin=self.origin
        )
        signature = self.key.sign(bytes(data) + client.hash, ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": websafe_encode(client),
            "authenticatorData": websafe_encode(data),
            "signature": websafe_encode(signature),
            "userHandle": websafe_encode(self.user_handle),
        }
        return {**self._named(response), "clientExtensionResults": {}}

    def _named(self, response: dict[str, str]) -> dict[str, Any]:
        return {
            "id": websafe_encode(self.id),
            "rawId": websafe_encode(self.id),
            "type": "public-key",
            "response": response,
        }

    @staticmethod
    def _rp(rp_id: str) -> bytes:
        return hashlib.sha256(rp_id.encode()).digest()
