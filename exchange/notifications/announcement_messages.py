"""What everybody is told of an announcement: its title and summary as they were published, in the reader's language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _

from exchange.notifications.message import Message

ANNOUNCED = "notifications.announced"


def announced(payload: dict[str, Any]) -> Message:
    texts = payload["texts"]
    language = (translation.get_language() or "en").partition("-")[0]
    words = texts.get(language) or texts.get("en") or next(iter(texts.values()))
    return Message(
        user_id=None,
        kind="announcement",
        title=words["title"],
        body=words["summary"],
        link=f"/announcements/{payload['slug']}/",
        action=_("Read it"),
    )


BY_TOPIC: dict[str, Callable[[dict[str, Any]], Message | None]] = {ANNOUNCED: announced}
