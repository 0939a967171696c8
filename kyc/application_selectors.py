"""A customer's own applications, as pages and API show them: what is told, what is missing, what comes next.

What must never happen here: another customer's application, or a picture (only reviewers see those).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from exchange.core.errors import NotFound
from exchange.secrets.services import KeyMissing
from exchange.secrets.subjects import KeyDestroyed
from kyc import reasons, registry, requirements, sealing, selectors
from kyc.models import Application, Document, Level
from kyc.models.applications import EDITABLE, OPEN, State

RENEWED_AHEAD_DAYS = 60  # a level may be applied for again so long before its end


class ApplicationNotFound(NotFound):
    """There is no such application, or it is somebody else's."""

    code = "application_not_found"


@dataclass(frozen=True, slots=True)
class PictureView:
    """A picture that was sent, without its content."""

    id: UUID
    kind: str
    name: str
    uploaded_at: datetime
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class ApplicationView:
    """One application as its customer sees it. `missing` and `asked` are groups of words and kinds of pictures."""

    id: UUID
    level: int
    level_code: str
    level_name: str
    state: str
    groups: tuple[str, ...]
    kinds: tuple[str, ...]
    missing: tuple[str, ...]
    asked: tuple[str, ...]
    pictures: tuple[PictureView, ...]
    reasons: tuple[tuple[str, str], ...]
    message: str
    created_at: datetime
    submitted_at: datetime | None
    decided_at: datetime | None
    expires_at: datetime | None

    @property
    def editable(self) -> bool:
        return self.state in EDITABLE

    @property
    def open(self) -> bool:
        return self.state in OPEN


@dataclass(frozen=True, slots=True)
class Standing:
    """A customer's level, what he can apply for now, and his latest applications, the newest first."""

    level: int
    level_code: str
    level_name: str
    offered: tuple[Level, ...]
    current: ApplicationView | None
    latest: tuple[ApplicationView, ...]


def application(user_id: int, application_id: UUID) -> ApplicationView:
    """Raises ApplicationNotFound, also for somebody else's. Three queries."""
    row = _rows(user_id).filter(id=application_id).first()
    if row is None:
        raise ApplicationNotFound("There is no such application.")
    return _view(row)


def applications(user_id: int, *, before: UUID | None = None, limit: int = 50) -> list[ApplicationView]:
    """The newest first; the cursor is the last id seen."""
    rows = _rows(user_id).order_by("-created_at", "-id")
    if before is not None:
        seen = Application.objects.filter(user_id=user_id, id=before).values_list("created_at", flat=True).first()
        if seen is None:
            return []
        rows = rows.filter(created_at__lte=seen).exclude(created_at=seen, id__gte=before)
    return [_view(row) for row in rows[:limit]]


def standing(user_id: int, *, now: datetime) -> Standing:
    """What the verification page shows."""
    level = selectors.level(user_id)
    latest = tuple(applications(user_id, limit=10))
    current = next((view for view in latest if view.open), None)
    return Standing(
        level=level.number,
        level_code=level.code,
        level_name=level.name,
        offered=tuple(_offered(level.number, latest, now)),
        current=current,
        latest=latest,
    )


def told(user_id: int, application_id: UUID) -> dict[str, str]:
    """What the customer told, for the form in which he changes it."""
    row = Application.objects.filter(id=application_id, user_id=user_id).first()
    if row is None:
        raise ApplicationNotFound("There is no such application.")
    return sealing.words(row)


def people_of(user_id: int) -> list[registry.Person]:
    """Whom the customer says he is, by his identity applications: as he was approved last, and as he says in one that was handed
    in and is not decided. What was turned down stands for nothing beside those, and for him where there is nothing else. None
    where nothing was handed in, or it was erased."""
    rows = Application.objects.filter(
        user_id=user_id, level__code="identity", sealed__isnull=False, submitted_at__isnull=False
    ).order_by("-submitted_at")
    approved = rows.filter(expires_at__isnull=False).first()
    waiting = rows.filter(state__in=OPEN).first()
    found = [row for row in (approved, waiting) if row is not None] or rows[:1]
    people = []
    for row in found:
        try:
            people.append(person(row, sealing.words(row)))
        except KeyDestroyed:  # on purpose: as if it had never been told
            continue
    return people


def person(application: Application, told: Mapping[str, str]) -> registry.Person:
    """Whom it is about. At higher levels the person stands in the approved application beneath."""
    known = told if "family_names" in told else _identity(application)
    return registry.Person(
        user_id=application.user_id,
        names=f"{known.get('given_names', '')} {known.get('family_names', '')}".strip(),
        birth_date=known.get("birth_date", ""),
        country=known.get("country", ""),
        nationality=known.get("nationality", ""),
        given=known.get("given_names", ""),
        family=known.get("family_names", ""),
    )


def _identity(application: Application) -> Mapping[str, str]:
    proved = Application.objects.filter(
        user_id=application.user_id, level__code="identity", state=State.APPROVED
    ).first()
    return sealing.words(proved) if proved is not None else {}


def export(user_id: int) -> Iterator[dict[str, Any]]:
    """What we keep of a customer here, for his data export: his words, and that there are pictures."""
    for row in _rows(user_id).order_by("created_at"):
        view = _view(row)
        try:
            words = sealing.words(row)
        except KeyMissing:
            words = {}
        yield {
            "application": str(view.id),
            "level": view.level_code,
            "state": view.state,
            "created_at": view.created_at.isoformat(),
            "submitted_at": view.submitted_at.isoformat() if view.submitted_at else None,
            "decided_at": view.decided_at.isoformat() if view.decided_at else None,
            "told": words,
            "reasons": [sentence for _, sentence in view.reasons],
            "pictures": [{"kind": each.kind, "uploaded_at": each.uploaded_at.isoformat()} for each in view.pictures],
        }


def _rows(user_id: int) -> Any:
    return Application.objects.filter(user_id=user_id).select_related("level").prefetch_related("documents")


def _offered(has: int, latest: tuple[ApplicationView, ...], now: datetime) -> list[Level]:
    """The next level, and those that end soon; none that is being applied for."""
    opened = {view.level for view in latest if view.open}
    soon = now + timedelta(days=RENEWED_AHEAD_DAYS)
    ending = {
        view.level for view in latest if view.state == State.APPROVED and view.expires_at and view.expires_at <= soon
    }
    wanted = ({has + 1} | {number for number in ending if number <= has}) - opened
    return list(Level.objects.filter(number__in=wanted, code__in=requirements.levels()).order_by("number"))


def _view(row: Application) -> ApplicationView:
    """No word is opened for it."""
    pictures = [each for each in row.documents.all() if each.replaced_at is None and each.erased_at is None]
    code = row.level.code
    missing: list[str] = []
    if row.state in EDITABLE:
        missing = requirements.missing(code, row.document_type, row.told_groups, [each.kind for each in pictures])
    return ApplicationView(
        id=row.id,
        level=row.level_id,
        level_code=code,
        level_name=row.level.name,
        state=row.state,
        groups=requirements.groups(code),
        kinds=requirements.kinds(code, row.document_type),
        missing=tuple(missing),
        asked=tuple(row.asked),
        pictures=tuple(_picture(each) for each in pictures),
        reasons=tuple((reason, reasons.WORDS[reason]) for reason in row.reasons if reason in reasons.WORDS),
        message=row.message,
        created_at=row.created_at,
        submitted_at=row.submitted_at,
        decided_at=row.decided_at,
        expires_at=row.expires_at,
    )


def _picture(row: Document) -> PictureView:
    return PictureView(
        id=row.id,
        kind=row.kind,
        name=requirements.KINDS.get(row.kind, row.kind),
        uploaded_at=row.uploaded_at,
        width=row.width,
        height=row.height,
    )


def four_eyes(level: int) -> bool:
    """Whether two people look at applications for this level."""
    return level >= settings.KYC_FOUR_EYES_FROM
