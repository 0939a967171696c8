"""Which keys there are, for their owner and for staff. Never what they are made of: that leaves the room in `material` alone,
to whoever checks a signature.

What must never happen here: a secret, or another customer's key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from exchange.accounts.keys import networks
from exchange.accounts.models import ApiKey
from exchange.secrets import services as secrets

PURPOSE = "api_key"
SHOWN_MAX = 100


@dataclass(frozen=True, slots=True)
class KeyView:
    """A key as its owner sees it. `state` is live, expired or revoked."""

    key_id: str
    label: str
    kind: str
    scopes: tuple[str, ...]
    networks: tuple[str, ...]
    public_key: bytes | None
    state: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    last_used_address: str


@dataclass(frozen=True, slots=True)
class Material:
    """What a signature is checked with. `secret` is the HMAC's, or the public key of Ed25519."""

    row_id: int
    key_id: str
    user_id: int
    kind: str
    secret: bytes
    scopes: frozenset[str]
    networks: tuple[networks.Network, ...]
    expires_at: datetime | None
    last_used_at: datetime | None
    last_used_address: str


def keys(user_id: int, *, now: datetime) -> list[KeyView]:
    """A customer's own: those that live first, then the newest; at most SHOWN_MAX. One query."""
    rows = ApiKey.objects.filter(user_id=user_id).order_by("-id")[:SHOWN_MAX]
    return sorted((view(row, now=now) for row in rows), key=lambda each: each.state != "live")


def live_count(user_id: int, *, now: datetime) -> int:
    """How many of a customer's keys open something. One query."""
    rows = ApiKey.objects.filter(user_id=user_id, revoked_at=None)
    return rows.exclude(expires_at__lte=now).count()


def material(key_id: str) -> Material | None:
    """What checks a key's signatures; None for one that is unknown or revoked, or whose owner's account is closed.

    An expired one is found: whoever can sign with it may be told that it is."""
    row = ApiKey.objects.filter(key_id=key_id, revoked_at=None, user__is_active=True).first()
    if row is None:
        return None
    secret = (
        bytes(row.public_key)
        if row.kind == "ed25519"
        else secrets.open(purpose=PURPOSE, sealed=row.sealed_secret, context=context(row.key_id))
    )
    return Material(
        row_id=row.id,
        key_id=row.key_id,
        user_id=row.user_id,
        kind=row.kind,
        secret=secret,
        scopes=frozenset(scopes(row)),
        networks=networks.read(row.networks),
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        last_used_address=row.last_used_address,
    )


def context(key_id: str) -> str:
    """What an HMAC secret is bound to: moved to another row, it does not open."""
    return f"api-key:{key_id}"


def scopes(row: ApiKey) -> tuple[str, ...]:
    return tuple(name for name, held in (("read", True), ("trade", row.trade), ("withdraw", row.withdraw)) if held)


def view(row: ApiKey, *, now: datetime) -> KeyView:
    expired = row.expires_at is not None and row.expires_at <= now
    return KeyView(
        key_id=row.key_id,
        label=row.label,
        kind=row.kind,
        scopes=scopes(row),
        networks=tuple(row.networks),
        public_key=bytes(row.public_key) if row.public_key is not None else None,
        state="revoked" if row.revoked_at else "expired" if expired else "live",
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        last_used_address=row.last_used_address,
    )
