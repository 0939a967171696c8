"""Incidents, as staff write them: one is opened, told about, and ended.

What must never happen here: an incident without a word about it, or one that ends without saying so.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.conf import settings
from django.db import transaction

from exchange.audit import services as audit
from exchange.core.errors import Conflict, InvalidRequest, NotFound
from exchange.site.models import Incident, IncidentNews

HEADLINE_LENGTH_MAX, NEWS_LENGTH_MAX = 120, 2000


class IncidentInvalid(InvalidRequest):
    code = "incident_invalid"


class IncidentNotFound(NotFound):
    code = "incident_not_found"


class IncidentOver(Conflict):
    code = "incident_over"


def open(
    *, part: str, words: Mapping[str, str], news: Mapping[str, str], started_at: datetime, actor_id: int, now: datetime
) -> int:
    """Opens one with its first news; its id. English is what every language falls back to. Raises IncidentInvalid."""
    headline, told = _checked(words, HEADLINE_LENGTH_MAX), _checked(news, NEWS_LENGTH_MAX)
    if part not in Incident.Part.values or started_at > now:
        raise IncidentInvalid("An incident is of one part of the house and has begun.", param="started_at")
    with transaction.atomic():
        made = Incident.objects.create(part=part, words=headline, started_at=started_at)
        IncidentNews.objects.create(incident=made, state=IncidentNews.State.LOOKING, words=told, at=now)
        audit.record(
            actor_id=actor_id, action="incident.open", subject=f"incident:{made.id}", after={"part": part}, now=now
        )
    return made.id


def tell(*, incident_id: int, state: str, news: Mapping[str, str], actor_id: int, now: datetime) -> None:
    """Adds news; the state "over" ends it. Raises IncidentNotFound, IncidentOver, IncidentInvalid."""
    told = _checked(news, NEWS_LENGTH_MAX)
    if state not in IncidentNews.State.values:
        raise IncidentInvalid("This is no state of an incident.", param="state")
    with transaction.atomic():
        incident = Incident.objects.select_for_update().filter(id=incident_id).first()
        if incident is None:
            raise IncidentNotFound("There is no such incident.")
        if incident.ended_at is not None:
            raise IncidentOver("This incident is over. Open another one.")
        IncidentNews.objects.create(incident=incident, state=state, words=told, at=now)
        if state == IncidentNews.State.OVER:
            incident.ended_at = now
            incident.save(update_fields=["ended_at"])
        audit.record(
            actor_id=actor_id,
            action="incident.tell",
            subject=f"incident:{incident_id}",
            after={"state": state},
            now=now,
        )


def _checked(words: Mapping[str, str], most: int) -> dict[str, str]:
    known = {code for code, _ in settings.LANGUAGES}
    found = {code: text.strip() for code, text in words.items() if code in known and text.strip()}
    if settings.LANGUAGE_CODE not in found:
        raise IncidentInvalid("English is needed: every other language falls back to it.", param="words_en")
    if any(len(text) > most for text in found.values()):
        raise IncidentInvalid(f"A text has at most {most} characters.", param="words_en")
    return found
