"""Seals and opens what the house must keep secret and be able to read again: TOTP seeds, API secrets, documents.

Each purpose has data keys of its own, in versions; the master key only wraps those, so changing it rewrites a handful of
rows and no secret. What must never happen here: a plaintext in a log or an error, or a fall-back to storing it unsealed.
"""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, transaction
from django.utils import timezone

from exchange.secrets import envelope, masters
from exchange.secrets.models import DataKey


class SecretTampered(Exception):
    """It does not open: other bytes, another purpose or another context than it was sealed with."""


class KeyMissing(Exception):
    """The key it was sealed with is not there, or the master key that wraps that key was not given."""


def seal(*, purpose: str, plaintext: bytes, context: str) -> bytes:
    """Encrypts for one use and one place: `context` names the row it belongs to, such as "api_key:42"."""
    row = _sealing_key(purpose)
    return envelope.seal(_unwrap(row), plaintext, key_id=row.id, purpose=purpose, context=context)


def open(*, purpose: str, sealed: bytes, context: str) -> bytes:
    """Decrypts what `seal` gave for the same purpose and context. Raises SecretTampered or KeyMissing."""
    sealed = bytes(sealed)
    try:
        row = DataKey.objects.filter(id=envelope.key_id(sealed), purpose=purpose).first()
        if row is None:
            raise KeyMissing("The key this was sealed with is not there.")
        return envelope.open_sealed(_unwrap(row), sealed, purpose=purpose, context=context)
    except envelope.Tampered:
        raise SecretTampered("This does not open for this purpose and context.") from None


def reseal(*, purpose: str, sealed: bytes, context: str) -> bytes:
    """The same secret under the purpose's newest key; for the room that keeps it, after a rotation."""
    return seal(purpose=purpose, plaintext=open(purpose=purpose, sealed=sealed, context=context), context=context)


def rotate(*, purpose: str, now: datetime) -> int:
    """Retires the purpose's key and makes the next version, which seals from now on. Returns that version."""
    with transaction.atomic():
        last = DataKey.objects.select_for_update().filter(purpose=purpose).order_by("-version").first()
        DataKey.objects.filter(purpose=purpose, retired_at=None).update(retired_at=now)
        return _make(purpose, last.version + 1 if last else 1, now).version


def rewrap() -> int:
    """Puts every data key under the current master key; how many it moved. Old masters must be given until then."""
    master = masters.current()
    moved = 0
    with transaction.atomic():
        for row in DataKey.objects.select_for_update().exclude(master_id=envelope.master_id(master)).order_by("id"):
            key = _unwrap(row)
            row.wrapped = envelope.wrap(master, key, purpose=row.purpose, version=row.version)
            row.master_id = envelope.master_id(master)
            row.save(update_fields=["wrapped", "master_id"])
            moved += 1
    return moved


def _sealing_key(purpose: str) -> DataKey:
    row = DataKey.objects.filter(purpose=purpose, retired_at=None).first()
    if row is not None:
        return row
    try:
        with transaction.atomic():
            return _make(purpose, 1, timezone.now())
    except IntegrityError:  # another process made the first key in the same moment
        return DataKey.objects.get(purpose=purpose, retired_at=None)


def _make(purpose: str, version: int, now: datetime) -> DataKey:
    master = masters.current()
    return DataKey.objects.create(
        purpose=purpose,
        version=version,
        master_id=envelope.master_id(master),
        wrapped=envelope.wrap(master, envelope.new_key(), purpose=purpose, version=version),
        created_at=now,
    )


def _unwrap(row: DataKey) -> bytes:
    master = masters.known().get(row.master_id)
    if master is None:
        raise KeyMissing(f"Data key {row} is wrapped by master key {row.master_id}, which was not given.")
    try:
        return envelope.unwrap(master, bytes(row.wrapped), purpose=row.purpose, version=row.version)
    except envelope.Tampered:
        raise SecretTampered(f"Data key {row} was changed in the database.") from None


def check_master_key() -> None:
    """Raises ImproperlyConfigured where the master key is absent, malformed, or one that everybody knows."""
    if len(set(masters.current())) == 1:
        raise ImproperlyConfigured("SECRETS_MASTER_KEY is one byte repeated: make one with `openssl rand -hex 32`.")
