"""The customer's own key at work: his words in their column, his pictures in their files.

What must never happen here: a picture's bytes in the clear on a disk, or a file whose name anybody but us chose.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from exchange.core.errors import NotFound
from exchange.secrets import private_files, subjects
from exchange.secrets.services import KeyMissing
from kyc.models import Application, Document

WORDS, PICTURES = "kyc.words", "kyc.picture"
SWEPT_AFTER = timedelta(hours=24)  # longer than any transaction that has written a file and not yet committed its row


class DocumentGone(NotFound):
    """It was erased, or its file or key is not there."""

    code = "document_gone"


def subject(user_id: int) -> str:
    """Whose key it is."""
    return f"customer:{user_id}"


def seal_words(application: Application, told: Mapping[str, str], *, now: datetime) -> bytes:
    plaintext = json.dumps(dict(told), ensure_ascii=False, sort_keys=True).encode()
    return subjects.seal(
        subject=subject(application.user_id), purpose=WORDS, plaintext=plaintext, context=str(application.id), now=now
    )


def words(application: Application) -> dict[str, str]:
    """What the customer told; nothing where it was erased. Raises KeyMissing where the key is lost."""
    if application.sealed is None:
        return {}
    plaintext = subjects.open(
        subject=subject(application.user_id), purpose=WORDS, sealed=application.sealed, context=str(application.id)
    )
    return dict(json.loads(plaintext))


def store_picture(document_id: UUID, *, user_id: int, data: bytes, now: datetime) -> None:
    """Seals and writes the file; durable once it returns. Before its row, so that no row ever lacks its file."""
    sealed = subjects.seal(
        subject=subject(user_id), purpose=PICTURES, plaintext=data, context=str(document_id), now=now
    )
    private_files.write(folder(), document_id, sealed)


def picture(document_id: UUID, *, user_id: int) -> bytes:
    """The picture's bytes. Raises DocumentGone."""
    sealed = private_files.read(folder(), document_id)
    if sealed is None:
        raise DocumentGone("The picture is not there any more.")
    try:
        return subjects.open(subject=subject(user_id), purpose=PICTURES, sealed=sealed, context=str(document_id))
    except KeyMissing:
        raise DocumentGone("The picture cannot be opened any more: its key is gone.") from None


def remove_picture(document_id: UUID) -> None:
    private_files.remove(folder(), document_id)


def sweep(*, now: datetime) -> int:
    """Removes files without a living row, a day old at least; how many."""
    before = (now - SWEPT_AFTER).timestamp()
    removed = private_files.remove_unfinished(folder(), older_than=before)
    names = [name for name, written in private_files.listed(folder()) if written < before]
    for start in range(0, len(names), 500):
        batch = names[start : start + 500]
        living = set(Document.objects.filter(id__in=batch, erased_at=None).values_list("id", flat=True))
        removed += sum(private_files.remove(folder(), name) for name in batch if name not in living)
    return removed


def folder() -> Path:
    """Where the pictures lie. Raises ImproperlyConfigured."""
    if not settings.KYC_DOCUMENTS_DIR:
        raise ImproperlyConfigured("Set KYC_DOCUMENTS_DIR: the folder of the customers' sealed documents.")
    return Path(settings.KYC_DOCUMENTS_DIR)
