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

from exchange.accounts import selectors as accounts
from exchange.notifications import messages
from exchange.notifications.models import Notification
from exchange.outbox import live
from exchange.outbox.registry import Event


def put_in_inbox(event: Event) -> None:
    """Writes the line for each person concerned and tells their open pages."""
    message = messages.BY_TOPIC[event.topic](event.payload)
    if message is None:
        return
    for person in _recipients(message):
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
    if message is not None:
        mail(message, event=event)


def mail(message: messages.Message, *, event: Event) -> None:
    """Sends this message about an event; for a room that must put something into a mail that stands in no event."""
    for person in _recipients(message):
        _mail(person, message, event).send()


def mark_read(*, user_id: int, ids: Iterable[int] | None = None, now: datetime) -> int:
    """Marks a person's own notifications as read, all of them where `ids` is None; the number that were not."""
    rows = Notification.objects.filter(user_id=user_id, read_at=None)
    if ids is not None:
        rows = rows.filter(id__in=list(ids))
    return rows.update(read_at=now)


def _recipients(message: messages.Message) -> list[accounts.Person]:
    if message.user_id is None:
        return accounts.staff()
    return [person for person in accounts.people([message.user_id]).values() if person.is_active]


def _mail(person: accounts.Person, message: messages.Message, event: Event) -> EmailMultiAlternatives:
    context = {
        "message": message,
        "person": person,
        "url": settings.SITE_URL.rstrip("/") + message.link,
        "site_name": settings.SITE_NAME,
        "event_at": event.created_at,
    }
    number = str(event.id) if message.once else f"{event.id}.{event.attempt}"
    host = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    mail = EmailMultiAlternatives(
        subject=message.title,
        body=render_to_string("notifications/email/message.txt", context),
        to=[person.email],
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
