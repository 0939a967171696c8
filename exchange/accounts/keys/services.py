"""Makes, renames and revokes API keys.

What must never happen here: a secret that can be read twice (it is in the answer of `create` and nowhere else in the clear), a
key whose revocation waits for anything, or a key that its owner never hears of.
"""

from __future__ import annotations

import base64
import binascii
import secrets as randomness
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from django.db import transaction

from exchange.accounts import log_ins
from exchange.accounts.keys import networks as allowed
from exchange.accounts.keys import points, selectors
from exchange.accounts.keys.selectors import KeyView
from exchange.accounts.models import ApiKey, User
from exchange.accounts.models.api_keys import LABEL_CHARACTERS_MAX
from exchange.accounts.services import credentials
from exchange.audit import services as audit
from exchange.core.errors import Conflict, InvalidRequest, NotAuthenticated, NotFound
from exchange.secrets import services as secrets

KEYS_MAX = 20
SECRET_BYTES = 32
EXPIRY_MAX = timedelta(days=3 * 366)
PEM_CHARACTERS_MAX = 1000
ADDRESS_CHARACTERS_MAX = 64


class KeyNotFound(NotFound):
    """There is none of that id, or it is somebody else's."""

    code = "key_not_found"


class TooManyKeys(Conflict):
    """A customer has at most KEYS_MAX that live."""

    code = "too_many_keys"


class LabelInvalid(InvalidRequest):
    """Empty, too long, or with characters that cannot be seen."""

    code = "label_invalid"


class KindInvalid(InvalidRequest):
    """Neither ed25519 nor hmac."""

    code = "key_kind_invalid"


class PublicKeyInvalid(InvalidRequest):
    """No Ed25519 public key, or one that others could sign for."""

    code = "public_key_invalid"


class NetworksRequired(InvalidRequest):
    """A key that may withdraw names the addresses it is used from."""

    code = "key_networks_required"


class ExpiryInvalid(InvalidRequest):
    """Not in the future, or too far in it."""

    code = "key_expiry_invalid"


@dataclass(frozen=True, slots=True)
class Created:
    """A new key. `secret` is shown to its owner now and never again; None for Ed25519, whose secret we never have."""

    key: KeyView
    secret: str | None


def create(
    *,
    user_id: int,
    label: str,
    kind: str,
    public_key: str = "",
    trade: bool = False,
    withdraw: bool = False,
    networks: Iterable[str] = (),
    expires_at: datetime | None = None,
    origin: str = "",
    now: datetime,
) -> Created:
    """A key for the customer. The caller has seen to a fresh second factor. Raises LabelInvalid, KindInvalid,
    PublicKeyInvalid, NetworkInvalid, NetworksRequired, ExpiryInvalid, TooManyKeys, NotAuthenticated (it was shut meanwhile)."""
    label, places = _label(label), allowed.parse(networks)
    if kind not in ("ed25519", "hmac"):
        raise KindInvalid("A key is of the kind ed25519 or hmac.", param="kind")
    public = _public_key(public_key) if kind == "ed25519" else None
    if kind == "hmac" and public_key:
        raise PublicKeyInvalid("An HMAC key has no public key: leave it out.", param="public_key")
    if withdraw and not places:
        raise NetworksRequired(
            "A key that may withdraw is taken from the addresses you name alone: name at least one.", param="networks"
        )
    if expires_at is not None and not now < expires_at <= now + EXPIRY_MAX:
        raise ExpiryInvalid(f"A key ends in the future, at most {EXPIRY_MAX.days} days away.", param="expires_at")
    key_id, secret = f"bk_{randomness.token_hex(12)}", randomness.token_bytes(SECRET_BYTES)
    with transaction.atomic():
        # Or two at once would both be the last there is room for; and one that waited for a freeze would be made after it.
        if User.objects.select_for_update(no_key=True).filter(pk=user_id, is_active=True).first() is None:
            raise NotAuthenticated("Please log in.")
        if selectors.live_count(user_id, now=now) >= KEYS_MAX:
            raise TooManyKeys(f"You have {KEYS_MAX} keys. Please revoke one first.")
        row = ApiKey.objects.create(
            key_id=key_id,
            user_id=user_id,
            label=label,
            kind=kind,
            public_key=public,
            sealed_secret=_sealed(key_id, secret) if kind == "hmac" else None,
            trade=trade,
            withdraw=withdraw,
            networks=places,
            created_at=now,
            expires_at=expires_at,
        )
        audit.record(
            actor_id=user_id,
            action="api_key.create",
            subject=f"api_key:{key_id}",
            after={"kind": kind, "scopes": list(selectors.scopes(row)), "networks": len(places)},
            origin=origin,
            now=now,
        )
        credentials.changed(user_id=user_id, what="api_key", detail=f"API key {key_id} created", origin=origin, now=now)
    return Created(selectors.view(row, now=now), secret.hex() if kind == "hmac" else None)


def revoke(
    *, user_id: int, key_id: str, actor_id: int | None = None, why: str = "customer", origin: str = "", now: datetime
) -> KeyView:
    """The customer's key opens nothing from now on; one that is revoked already stays so. Raises KeyNotFound."""
    with transaction.atomic():
        row = ApiKey.objects.select_for_update(no_key=True).filter(user_id=user_id, key_id=key_id).first()
        if row is None:
            raise KeyNotFound("There is no such key.")
        if row.revoked_at is None:
            _revoke(row, actor_id=actor_id if actor_id is not None else user_id, why=why, origin=origin, now=now)
    return selectors.view(row, now=now)


def revoke_all(*, user_id: int, actor_id: int | None = None, why: str, origin: str = "", now: datetime) -> int:
    """All keys of a customer, at once: a frozen or closed account has none. How many there were."""
    with transaction.atomic():
        rows = ApiKey.objects.select_for_update(no_key=True).filter(user_id=user_id, revoked_at=None).order_by("id")
        found = list(rows)
        for row in found:
            _revoke(row, actor_id=actor_id, why=why, origin=origin, now=now)
    return len(found)


def access_ended(user_id: int, now: datetime) -> None:
    """For the registry: the account is frozen by its owner, closed, or taken back by a reset or another address."""
    revoke_all(user_id=user_id, why="access ended", now=now)


def rename(*, user_id: int, key_id: str, label: str, now: datetime) -> KeyView:
    """Another label; nothing else of a key ever changes. Raises LabelInvalid, KeyNotFound."""
    label = _label(label)
    if not ApiKey.objects.filter(user_id=user_id, key_id=key_id).update(label=label):
        raise KeyNotFound("There is no such key.")
    return selectors.view(ApiKey.objects.get(user_id=user_id, key_id=key_id), now=now)


def note_use(*, row_id: int, address: str, now: datetime) -> None:
    """When and from where it was used last; a later note is never overwritten by an earlier one."""
    row = ApiKey.objects.filter(pk=row_id).exclude(last_used_at__gt=now)
    row.update(last_used_at=now, last_used_address=address[:ADDRESS_CHARACTERS_MAX])


def _revoke(row: ApiKey, *, actor_id: int | None, why: str, origin: str, now: datetime) -> None:
    row.revoked_at, row.revoked_why, row.sealed_secret = now, why, None
    row.save(update_fields=["revoked_at", "revoked_why", "sealed_secret"])
    audit.record(
        actor_id=actor_id,
        action="api_key.revoke",
        subject=f"api_key:{row.key_id}",
        after={"why": why},
        origin=origin,
        now=now,
    )
    log_ins.ended(log_ins.key_mark(row.key_id))


def _sealed(key_id: str, secret: bytes) -> bytes:
    return secrets.seal(purpose=selectors.PURPOSE, plaintext=secret, context=selectors.context(key_id))


def _label(text: str) -> str:
    text = text.strip()
    if not (1 <= len(text) <= LABEL_CHARACTERS_MAX and text.isprintable()):
        raise LabelInvalid(f"A label has 1 to {LABEL_CHARACTERS_MAX} characters.", param="label")
    return text


def _public_key(text: str) -> bytes:
    """The 32 bytes, out of PEM (as OpenSSL writes it) or base64."""
    text = text.strip()
    try:
        if text.startswith("-----BEGIN PUBLIC KEY-----") and len(text) <= PEM_CHARACTERS_MAX:
            loaded = load_pem_public_key(text.encode())
            if not isinstance(loaded, Ed25519PublicKey):
                raise ValueError("another kind of key")
            raw = loaded.public_bytes(Encoding.Raw, PublicFormat.Raw)
        else:
            raw = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    if not points.is_sound(raw):
        raise PublicKeyInvalid(
            "This is no Ed25519 public key: paste it as PEM (-----BEGIN PUBLIC KEY-----) or its 32 bytes in base64.",
            param="public_key",
        )
    return raw
