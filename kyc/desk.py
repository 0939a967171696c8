"""What staff see of applications: the queue's counts, and one case with its story. The customer's words come from `reviewing`,
which puts on record who read them.

What must never happen here: a word of the customer's in a list.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Min, Q

from kyc import countries, reasons, requirements
from kyc.models import Application, ApplicationApproval, ApplicationStep, Document, LevelProposal
from kyc.models.applications import WAITING, State

OPEN = (*WAITING, State.RESUBMIT)
LATE_AFTER = timedelta(hours=48)
_LABELS = {
    "given_names": "Given names",
    "family_names": "Family names",
    "birth_date": "Date of birth",
    "nationality": "Nationality",
    "country": "Lives in",
    "document_type": "Document",
    "street": "Street and number",
    "city": "City",
    "postal_code": "Postal code",
    "address_country": "Country",
    "occupation": "Occupation",
    "source_of_funds": "Where the money comes from",
}
_COUNTRIES = ("nationality", "country", "address_country")


@dataclass(frozen=True, slots=True)
class Counts:
    """The queue at a glance."""

    submitted: int
    in_review: int
    late: int
    resubmit: int
    ending: int


@dataclass(frozen=True, slots=True)
class Case:
    """One application as its reviewer needs it; words apart."""

    id: UUID
    user_id: int
    level: str
    level_code: str
    document_type: str
    state: str
    state_word: str
    version: int
    submitted_at: datetime | None
    reviewer_id: int | None
    reasons: list[str]
    message: str
    asked: list[str]
    provider: str
    provider_state: str
    provider_answer: dict[str, object]
    pictures: list[Document]
    earlier_pictures: list[Document]
    steps: list[ApplicationStep]
    approvals: list[ApplicationApproval]
    approvals_needed: int
    others: list[Application]
    erased_at: datetime | None

    @property
    def waiting(self) -> bool:
        return self.state in WAITING


def waiting() -> tuple[int, datetime | None]:
    """How many applications wait for a decision, and since when the oldest does. One query, by the queue's own index."""
    row = Application.objects.filter(state__in=WAITING).aggregate(found=Count("id"), since=Min("submitted_at"))
    return row["found"], row["since"]


def levels_waiting() -> int:
    """Levels proposed by one person that another has to confirm."""
    return LevelProposal.objects.filter(confirmed=None).count()


def counts(*, now: datetime) -> Counts:
    """Two queries, over what is open and what ends."""
    row = Application.objects.filter(state__in=OPEN).aggregate(
        submitted=Count("id", filter=Q(state=State.SUBMITTED)),
        in_review=Count("id", filter=Q(state=State.IN_REVIEW)),
        late=Count("id", filter=Q(state__in=WAITING, submitted_at__lt=now - LATE_AFTER)),
        resubmit=Count("id", filter=Q(state=State.RESUBMIT)),
    )
    soon = now + timedelta(days=30)
    row["ending"] = Application.objects.filter(state=State.APPROVED, expires_at__lt=soon).count()
    return Counts(**row)


def case(application_id: UUID) -> Case:
    """Raises Application.DoesNotExist. Six queries."""
    row = Application.objects.select_related("level").get(id=application_id)
    pictures = list(row.documents.filter(erased_at=None))
    others = Application.objects.select_related("level").filter(user_id=row.user_id).exclude(id=row.id)
    return Case(
        id=row.id,
        user_id=row.user_id,
        level=row.level.name,
        level_code=row.level.code,
        document_type=row.document_type,
        state=row.state,
        state_word=row.get_state_display(),
        version=row.version,
        submitted_at=row.submitted_at,
        reviewer_id=row.reviewer_id,
        reasons=reasons.sentences(row.reasons),
        message=row.message,
        asked=[requirements.NAMES.get(item, item) for item in row.asked],
        provider=row.provider,
        provider_state=row.provider_state,
        provider_answer=row.provider_answer,
        pictures=[each for each in pictures if each.replaced_at is None],
        earlier_pictures=[each for each in pictures if each.replaced_at is not None],
        steps=list(row.steps.all()[:200]),
        approvals=list(row.approvals.filter(version=row.version)),
        approvals_needed=2 if row.level_id >= settings.KYC_FOUR_EYES_FROM else 1,
        others=list(others.order_by("-created_at")[:20]),
        erased_at=row.erased_at,
    )


def lines(told: dict[str, str]) -> list[tuple[str, str]]:
    """The customer's words with their labels, in the order of the form."""
    shown = []
    for name, label in _LABELS.items():
        if value := told.get(name):
            value = countries.NAMES.get(value, value) if name in _COUNTRIES else value
            shown.append((label, value.replace("_", " ") if name == "document_type" else value))
    return shown


def items(case: Case) -> list[tuple[str, str]]:
    """What may be asked for again, as choices."""
    known = requirements.items(case.level_code, case.document_type)
    return [(item, requirements.NAMES[item]) for item in known]
