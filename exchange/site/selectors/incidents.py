"""Incidents for the status page, in the reader's language: what goes on now, and what was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Prefetch
from django.utils import translation

from exchange.site.models import Incident, IncidentNews

PAGE = 20
RECENT = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class News:
    state: str
    state_name: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class IncidentView:
    """News are the newest first; `ended_at` is None while it goes on."""

    id: int
    part: str
    title: str
    started_at: datetime
    ended_at: datetime | None
    news: tuple[News, ...]

    @property
    def state_name(self) -> str:
        return self.news[0].state_name if self.news else ""


@dataclass(frozen=True, slots=True)
class Page:
    incidents: tuple[IncidentView, ...]
    before: int | None


def going_on() -> list[IncidentView]:
    """Those that are not over. Two queries."""
    return [_view(row) for row in _rows().filter(ended_at=None)[:PAGE]]


def recent(*, now: datetime) -> list[IncidentView]:
    """Those that ended in the last two weeks, the newest first. Two queries."""
    return [_view(row) for row in _rows().filter(ended_at__gte=now - RECENT)[:PAGE]]


def history(*, before: int | None) -> Page:
    """All of them, the newest first, a page at a time. Two queries."""
    rows = list(_rows().filter(**({"id__lt": before} if before else {}))[: PAGE + 1])
    shown = tuple(_view(row) for row in rows[:PAGE])
    return Page(incidents=shown, before=shown[-1].id if len(rows) > PAGE else None)


def _rows():
    return Incident.objects.prefetch_related(Prefetch("news", IncidentNews.objects.order_by("-id"), to_attr="told"))


def _view(row: Incident) -> IncidentView:
    return IncidentView(
        id=row.id,
        part=str(row.get_part_display()),
        title=_in_language(row.words),
        started_at=row.started_at,
        ended_at=row.ended_at,
        news=tuple(
            News(state=each.state, state_name=str(each.get_state_display()), text=_in_language(each.words), at=each.at)
            for each in row.told
        ),
    )


def _in_language(words: dict[str, str]) -> str:
    """What staff wrote in the reader's language, else in English."""
    language = (translation.get_language() or settings.LANGUAGE_CODE).partition("-")[0]
    return words.get(language) or words[settings.LANGUAGE_CODE]
