"""Times at the edges: an aware datetime inside the house, ISO 8601 text in UTC outside.

What must never happen here: a time without a zone taken for UTC by luck, or text that sorts otherwise than the times do.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from exchange.core.errors import InvalidRequest


class TimeInvalid(InvalidRequest):
    """Not an ISO 8601 time with a zone."""

    code = "time_invalid"


def iso(moment: datetime) -> str:
    """Text of one length, so that it sorts as the times do: "2026-11-20T05:32:05.123456Z"."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone has no place in the house")
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"  # half the time of strftime


def parse(text: str, *, param: str | None = None) -> datetime:
    """The moment that an ISO 8601 text names; its zone must be given. Raises TimeInvalid."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):  # not a time, or one that no calendar of ours reaches in UTC
        pass
    raise TimeInvalid('A time is ISO 8601 with its zone, such as "2026-11-20T05:32:05Z".', param=param)


def begins(day: date) -> datetime:
    """The first moment of a day (UTC)."""
    return datetime.combine(day, time.min, tzinfo=UTC)


def ends(day: date) -> datetime:
    """The first moment after a day (UTC)."""
    return begins(day) + timedelta(days=1)
