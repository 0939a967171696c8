"""A key for each person, so that forgetting a person is destroying one key.

The key is made when something of his is first sealed. It lies wrapped under the master key in a file of SUBJECT_KEYS_DIR,
a folder that no backup with a history may hold: whoever has an old copy of the database and of the documents, and even the
master key, then still lacks the one thing that was destroyed. The row in the database says that the key is, or was.

What must never happen here: a person's key in the database (its backups would keep it), a key that opens again after it was
destroyed, or a new key made silently in the place of one that is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from uuid import UUID, uuid4

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, transaction

from exchange.secrets import envelope, masters, private_files
from exchange.secrets.models import SubjectKey
from exchange.secrets.services import KeyMissing, SecretTampered

SWEPT_AFTER = timedelta(hours=24)  # longer than any transaction that has made a file and not yet committed its row
_PURPOSE = "subject"
_MASTER_ID_BYTES = 16


class KeyDestroyed(KeyMissing):
    """The person's key was destroyed on purpose; what it sealed is gone for good."""


def seal(*, subject: str, purpose: str, plaintext: bytes, context: str, now: datetime) -> bytes:
    """Encrypts with the person's own key, which is made where he has none. In the caller's transaction."""
    row = SubjectKey.objects.filter(subject=subject, destroyed_at=None).first() or _make(subject, now)
    return envelope.seal(_key(row), plaintext, key_id=row.id, purpose=purpose, context=f"{subject}/{context}")


def open(*, subject: str, purpose: str, sealed: bytes, context: str) -> bytes:
    """Decrypts what `seal` gave for the same subject, purpose and context. Raises KeyDestroyed, KeyMissing, SecretTampered."""
    sealed = bytes(sealed)
    try:
        row = SubjectKey.objects.filter(id=envelope.key_id(sealed), subject=subject).first()
        if row is None:
            raise KeyMissing("The key this was sealed with is not there.")
        return envelope.open_sealed(_key(row), sealed, purpose=purpose, context=f"{subject}/{context}")
    except envelope.Tampered:
        raise SecretTampered("This does not open for this person, purpose and context.") from None


def destroy(*, subject: str, now: datetime) -> int:
    """Marks the person's keys as destroyed in the caller's transaction, and shreds their files once it has committed.

    How many keys. A process that is killed in between leaves files that `sweep` shreds; they open nothing meanwhile.
    """
    rows = list(SubjectKey.objects.select_for_update().filter(subject=subject, destroyed_at=None).order_by("id"))
    SubjectKey.objects.filter(id__in=[row.id for row in rows]).update(destroyed_at=now)
    for row in rows:
        transaction.on_commit(lambda name=row.file: private_files.remove(folder(), name))
    return len(rows)


def sweep(*, now: datetime) -> int:
    """Shreds files whose key is destroyed or whose row was never committed; how many.

    Whatever lies there is looked at, so that it costs by the files there are, and finds one that came back with an old copy.
    """
    long_ago = (now - SWEPT_AFTER).timestamp()
    removed = private_files.remove_unfinished(folder(), older_than=long_ago)
    for batch in _batches(private_files.listed(folder())):
        names = [name for name, _ in batch]
        rows = dict(SubjectKey.objects.filter(file__in=names).values_list("file", "destroyed_at"))
        for name, written in batch:
            if rows[name] is not None if name in rows else written < long_ago:
                removed += private_files.remove(folder(), name)
    return removed


def rewrap() -> int:
    """Puts every living key under the current master key, file by file; how many it moved. Raises KeyMissing for those that do
    not open, after the others were moved: until it passes, the old master key must stay."""
    master, moved, lost = masters.current(), 0, []
    for row in SubjectKey.objects.filter(destroyed_at=None).order_by("id").iterator():
        try:
            stored = private_files.read(folder(), row.file)
            if stored is None or stored[:_MASTER_ID_BYTES] != envelope.master_id(master).encode():
                private_files.write(folder(), row.file, _wrapped(master, _key(row), row))
                moved += 1
        except (KeyMissing, SecretTampered, OSError):
            lost.append(row.subject)
    if lost:
        raise KeyMissing(
            f"{moved} keys moved, {len(lost)} do not open, the first of {lost[0]}. Keep the old master key."
        )
    return moved


def folder() -> Path:
    """Where the keys lie. Raises ImproperlyConfigured rather than making up a place."""
    if not settings.SUBJECT_KEYS_DIR:
        raise ImproperlyConfigured("Set SUBJECT_KEYS_DIR: the folder of the customers' keys, outside every backup.")
    return Path(settings.SUBJECT_KEYS_DIR)


def _batches(files: Iterable[tuple[UUID, float]]) -> Iterator[list[tuple[UUID, float]]]:
    found = iter(files)
    while batch := list(islice(found, 500)):
        yield batch


def _make(subject: str, now: datetime) -> SubjectKey:
    """The file first, then the row: a row without its file would be a person whose data never open."""
    row = SubjectKey(subject=subject, file=uuid4(), created_at=now)
    private_files.write(folder(), row.file, _wrapped(masters.current(), envelope.new_key(), row))
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:  # another process made his key in the same moment; our file goes with the next sweep
        private_files.remove(folder(), row.file)
        return SubjectKey.objects.get(subject=subject, destroyed_at=None)
    return row


def _wrapped(master: bytes, key: bytes, row: SubjectKey) -> bytes:
    return envelope.master_id(master).encode() + envelope.wrap(master, key, purpose=_bound(row), version=1)


def _bound(row: SubjectKey) -> str:
    """A file that is put in another person's place does not open."""
    return f"{_PURPOSE}/{row.subject}/{row.file}"


def _key(row: SubjectKey) -> bytes:
    if row.destroyed_at is not None:
        raise KeyDestroyed(f"The key of {row.subject} was destroyed.")
    stored = private_files.read(folder(), row.file)
    if stored is None:
        raise KeyMissing(f"The key file of {row} is not there.")
    master = masters.known().get(stored[:_MASTER_ID_BYTES].decode(errors="replace"))
    if master is None:
        raise KeyMissing(f"The key of {row} is wrapped by a master key that was not given.")
    try:
        return envelope.unwrap(master, stored[_MASTER_ID_BYTES:], purpose=_bound(row), version=1)
    except envelope.Tampered:
        raise SecretTampered(f"The key file of {row} was changed.") from None
