"""Where rates come from: one module a source.

A source is a function from asset codes to quotes. It raises SourceFailed when it could not answer; an asset it does not
know, or whose value makes no sense, is left out and logged. What must never happen here: a guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Quote:
    """US dollars for one whole unit of `code`, true at `as_of` according to the source itself."""

    code: str
    usd: Decimal
    as_of: datetime


class SourceFailed(Exception):
    """The source did not answer, or not in its documented form; the last known rates stay and grow old."""


class RateLimited(SourceFailed):
    """The source asks us to come back later (HTTP 429); `retry_after_s` is its wish, or ours where it names none."""

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
