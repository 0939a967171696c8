"""Who a message is for, and in which language they read it."""

from __future__ import annotations

from django.conf import settings

from exchange.accounts import selectors as accounts
from exchange.notifications.message import Message


def of(message: Message) -> list[accounts.Person]:
    """The person it concerns, or all staff. Nobody who cannot log in, except where just that is the news."""
    if message.user_id is None:
        return accounts.staff()
    return [person for person in accounts.people([message.user_id]).values() if may_have(person, message)]


def may_have(person: accounts.Person, message: Message) -> bool:
    return person.is_active or message.even_if_shut


def language(person: accounts.Person) -> str:
    return person.language if person.language in settings.MAIL_LANGUAGES else "en"
