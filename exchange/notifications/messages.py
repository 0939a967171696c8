"""What is said about each event, and to whom: every topic and the function that makes its words from the payload.

The words are made in the language that is active: for the inbox when the event is read, for mails and pushes when they are sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exchange.notifications import (
    account_messages,
    announcement_messages,
    money_messages,
    screening_messages,
    staff_messages,
    verification_messages,
)
from exchange.notifications.message import Message as Message

# Told to everybody, by a walk of its own (services/announcements), and so by no reader of the outbox.
TO_EVERYBODY = frozenset(announcement_messages.BY_TOPIC)
BY_TOPIC: dict[str, Callable[[dict[str, Any]], Message | None]] = {
    **money_messages.BY_TOPIC,
    **staff_messages.BY_TOPIC,
    **account_messages.BY_TOPIC,
    **screening_messages.BY_TOPIC,
    **verification_messages.BY_TOPIC,
    **announcement_messages.BY_TOPIC,
}
