"""What a service that checks identities has to offer, and what it gives back. Pure.

A webhook is a reason to ask, never an answer: `fetch` is asked for the result before a level rises. What a writer of a
provider may not do: follow redirects, wait without an end, log what it sends, or hold a customer's words longer than a call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID


class SignatureWrong(Exception):
    """These bytes were not sent by the provider."""


class ProviderUnavailable(Exception):
    """It cannot be reached or has no time; `wait_s` is what it asked for, or 0."""

    def __init__(self, message: str, *, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class ProviderRefused(Exception):
    """It understood and said no: asking again changes nothing."""

    def __init__(self, message: str, *, status: int, code: int | None = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass(frozen=True, slots=True)
class Event:
    """What a webhook says: unique id, kind, the provider's name for the applicant, and when it happened there."""

    id: str
    kind: str
    reference: str
    occurred_at: datetime | None


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is to be checked. `told` are the customer's words by field; `level` is our number of the level asked for."""

    application_id: UUID
    level: int
    told: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """The result as fetched: still pending, approved, to be sent again, or declined for good (which a person looks at)."""

    result: Literal["pending", "approved", "retry", "declined"]
    labels: tuple[str, ...] = ()
    comment: str = ""
    items: tuple[str, ...] = ()
    reasons: tuple[str, ...] = field(default=())


class Provider(Protocol):
    """One service. Calls raise ProviderUnavailable or ProviderRefused; each may be repeated after a crash."""

    name: str

    def verify(self, raw_body: bytes, headers: Mapping[str, str]) -> Event:
        """The event in a webhook; raises SignatureWrong."""
        ...

    def create_applicant(self, subject: Subject) -> str:
        """Its name for the applicant; the same one when asked twice for one application."""
        ...

    def update_applicant(self, reference: str, subject: Subject) -> None:
        """Has it compare with these words from now on, before each check of an applicant that it knows already. Raises
        ProviderUnavailable while it still checks others."""
        ...

    def submit_document(self, reference: str, *, kind: str, country: str, picture: bytes) -> str:
        """Its name for the picture."""
        ...

    def request_check(self, reference: str) -> None:
        """Has it begin; nothing where it has begun already."""
        ...

    def fetch(self, reference: str, *, level: int) -> Answer:
        """What it found, for the level that it was asked to check."""
        ...
