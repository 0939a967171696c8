"""Tells people: a line in their inbox, and an e-mail.

Inbox and e-mail are separate readers of the outbox, so a mail server that is down delays no inbox. An inbox line is written
exactly once; an e-mail may come twice after a crash, with the same Message-ID, which mail programs show once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation

from exchange.accounts import selectors as accounts
from exchange.accounts.services import mail_words
from exchange.accounts.services import not_me as not_me_links
from exchange.notifications import messages, words
from exchange.notifications.models import Notification
from exchange.outbox import live
from exchange.outbox.registry import Event


def put_in_inbox(event: Event) -> None:
    """Writes the line for each person concerned and tells their open pages."""
    message = messages.BY_TOPIC[event.topic](event.payload)
    if message is None:
        return
    for person in _recipients(message):
        message = _in_words_of(person, event) or message
        row, created = Notification.objects.get_or_create(
            user_id=person.id,
            event_id=event.id,
            defaults={
                "kind": message.kind,
                "title": message.title[:120],
                "body": message.body[:500],
                "link": message.link,
                "created_at": event.created_at,
            },
        )
        if created:
            _tell_open_pages(row)


def send_mail(event: Event) -> None:
    """Sends the e-mail to each person concerned. Raises what the mail server raised; the outbox tries again."""
    message = messages.BY_TOPIC[event.topic](event.payload)
    if message is None:
        return
    for person in _recipients(message):
        _send(person, _in_words_of(person, event) or message, event)


def mail(message: messages.Message, *, event: Event) -> None:
    """Sends this message about an event; for a room that must put something into a mail that stands in no event."""
    for person in _recipients(message):
        _send(person, message, event)


def mark_read(*, user_id: int, ids: Iterable[int] | None = None, now: datetime) -> int:
    """Marks a person's own notifications as read, all of them where `ids` is None; the number that were not."""
    rows = Notification.objects.filter(user_id=user_id, read_at=None)
    if ids is not None:
        rows = rows.filter(id__in=list(ids))
    return rows.update(read_at=now)


def _recipients(message: messages.Message) -> list[accounts.Person]:
    if message.user_id is None:
        return accounts.staff()
    found = accounts.people([message.user_id]).values()
    return [person for person in found if person.is_active or message.even_if_shut]


def _in_words_of(person: accounts.Person, event: Event) -> messages.Message | None:
    """The message again, in the person's own language."""
    with translation.override(_language(person)):
        return messages.BY_TOPIC[event.topic](event.payload)


def _language(person: accounts.Person) -> str:
    return person.language if person.language in settings.MAIL_LANGUAGES else "en"


def _send(person: accounts.Person, message: messages.Message, event: Event) -> None:
    with translation.override(_language(person)):
        for address in dict.fromkeys((person.email, message.also_to)):
            if address:
                _mail(person, message, event, address).send()


def _mail(person: accounts.Person, message: messages.Message, event: Event, address: str) -> EmailMultiAlternatives:
    """One mail to one address. The word and the link that freezes are made for that address alone."""
    site = settings.SITE_URL.rstrip("/")
    not_me = (
        not_me_links.make(user_id=person.id, sent_to=address, about=message.kind, now=event.now)
        if message.not_me and message.user_id is not None
        else ""
    )
    context = {
        "message": message,
        "person": person,
        "language": _language(person),
        "url": site + message.link,
        "action": message.action or words.say("open", site=settings.SITE_NAME),
        "see_it": message.action or words.say("see_it"),
        "site_name": settings.SITE_NAME,
        "event_at": event.created_at,
        "not_me_url": site + not_me if not_me else "",
        "words": {name: words.say(name) for name in ("not_me", "not_me_help", "not_you", "word")},
        # Whoever holds an address that was replaced knew the word before; it is on both mails or on none.
        "mail_word": mail_words.of(person.id) if message.user_id is not None and person.email_verified else "",
    }
    number = str(event.id) if message.once else f"{event.id}.{event.attempt}"
    if address != person.email:
        number += ".old"
    host = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    mail = EmailMultiAlternatives(
        subject=message.title,
        body=render_to_string("notifications/email/message.txt", context),
        to=[address],
        headers={"Message-ID": f"<bourse.{number}.{person.id}@{host}>", "Auto-Submitted": "auto-generated"},
    )
    mail.attach_alternative(render_to_string("notifications/email/message.html", context), "text/html")
    return mail


def _tell_open_pages(row: Notification) -> None:
    live.publish(
        channel=f"user:{row.user_id}",
        message={
            "type": "notification",
            "id": row.id,
            "kind": row.kind,
            "title": row.title,
            "body": row.body,
            "link": row.link,
            "time": row.created_at.isoformat(),
        },
    )
