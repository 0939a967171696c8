"""Takes pictures: made safe, sealed, written to disk, then noted.

The file is durable before its row is committed: a process that is killed in between leaves a file without a row, which the
sweep removes, and never a row without its file. What must never happen here: a picture under another customer's application,
or bytes that were not drawn anew.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from django.db import transaction

from exchange.core.errors import InvalidRequest, NotFound
from kyc import images, requirements, sealing
from kyc.models import Application, Document
from kyc.models.applications import State
from kyc.services import applications

VERSIONS_MAX = 20  # pictures of one application, replaced ones counted


class KindUnknown(InvalidRequest):
    """No such picture is asked for at any level."""

    code = "choice_invalid"


class TooManyPictures(InvalidRequest):
    """One application holds so many pictures and no more."""

    code = "too_many_pictures"


class DocumentNotFound(NotFound):
    """There is no such picture, or it is somebody else's."""

    code = "document_not_found"


def upload(*, user_id: int, application_id: UUID, kind: str, data: bytes, now: datetime) -> Document:
    """Takes one picture in place of an earlier one of its kind.

    Raises KindUnknown, ApplicationNotFound, NotEditable, NotAsked, TooManyPictures and what `images.clean` raises.
    """
    if kind not in requirements.KINDS:
        raise KindUnknown(f"A picture is one of: {', '.join(requirements.KINDS)}.", param="kind")
    _check(user_id, application_id, kind)  # before a decoder sees a byte of it
    picture = images.clean(data)
    document_id = uuid4()
    with transaction.atomic():
        application = _check(user_id, application_id, kind)
        sealing.store_picture(document_id, user_id=user_id, data=picture.data, now=now)
        removed = _replace(application, kind, now)
        document = Document.objects.create(
            id=document_id,
            application=application,
            kind=kind,
            width=picture.width,
            height=picture.height,
            size_bytes=len(picture.data),
            uploaded_at=now,
        )
        applications.touch(application, now)
        application.save(update_fields=["version", "changed_at"])
    # Where the commit's outcome is not known, its file stays: the sweep looks whether there is a row.
    for gone in removed:
        sealing.remove_picture(gone)
    return document


def remove(*, user_id: int, application_id: UUID, document_id: UUID, now: datetime) -> None:
    """Takes a picture back while the application is a draft. Raises DocumentNotFound, NotEditable, NotAsked."""
    with transaction.atomic():
        application = applications.editable(user_id, application_id)
        document = application.documents.filter(id=document_id, replaced_at=None).first()
        if document is None:
            raise DocumentNotFound("There is no such picture.")
        if application.state != State.DRAFT:
            raise applications.NotAsked("Send another picture in its place.", param="kind")
        document.delete()
        applications.touch(application, now)
        application.save(update_fields=["version", "changed_at"])
    sealing.remove_picture(document_id)


def _check(user_id: int, application_id: UUID, kind: str) -> Application:
    with transaction.atomic():
        application = applications.editable(user_id, application_id)
        applications.check_item(application, kind)
        if application.documents.count() >= VERSIONS_MAX:
            raise TooManyPictures("Too many pictures were sent for this application. Please write to us.", param="kind")
        return application


def _replace(application: Application, kind: str, now: datetime) -> list[UUID]:
    """A picture that nobody has looked at yet goes; one that was handed in before stays as evidence. The ids that went."""
    current = application.documents.filter(kind=kind, replaced_at=None)
    if application.state == State.DRAFT:
        ids = list(current.values_list("id", flat=True))
        current.delete()
        return ids
    current.update(replaced_at=now)
    return []
