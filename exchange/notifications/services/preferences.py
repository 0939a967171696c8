"""What a person wants by which channel. Only what differs from what everybody has is kept.

What must never happen here: a choice that switches off what must always come.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from django.db import transaction

from exchange.core.errors import InvalidRequest
from exchange.notifications import kinds
from exchange.notifications.models import Preference


class PreferenceInvalid(InvalidRequest):
    """There is no such topic or channel, or it cannot be switched off."""

    code = "notification_preference_invalid"


Choices = dict[tuple[str, str], bool]


def of_many(user_ids: Iterable[int]) -> dict[int, Choices]:
    """The choices of each of them, by (topic, channel). One query."""
    found: dict[int, Choices] = defaultdict(dict)
    for row in Preference.objects.filter(user_id__in=list(user_ids)):
        found[row.user_id][row.topic, row.channel] = row.wanted
    return found


def of(user_id: int) -> Choices:
    return of_many([user_id]).get(user_id, {})


def choose(*, user_id: int, wanted: Mapping[tuple[str, str], bool]) -> None:
    """Keeps these choices; those not named stay. Raises PreferenceInvalid."""
    for (code, channel), yes in wanted.items():
        topic = kinds.TOPICS.get(code)
        if topic is None or channel not in kinds.CHANNELS:
            raise PreferenceInvalid("There is no such kind of notification.", param=f"{code}.{channel}"[:60])
        if channel in topic.always and not yes:
            raise PreferenceInvalid(
                "News about your account's safety cannot be switched off here.", param=f"{code}.{channel}"
            )
    with transaction.atomic():
        for (code, channel), yes in wanted.items():
            topic = kinds.TOPICS[code]
            if channel in topic.always or yes == (channel in topic.wanted):
                Preference.objects.filter(user_id=user_id, topic=code, channel=channel).delete()
            else:
                Preference.objects.update_or_create(
                    user_id=user_id, topic=code, channel=channel, defaults={"wanted": yes}
                )
