"""Writes down what has to leave the house for an event: one row for each person, channel and target, once.

It runs in the outbox' own transaction, right after the event's, and asks nobody outside: the rows are there however the mail
server feels, and each names the address that was the person's then (whoever changes it a moment later does not get this mail in
its owner's place). What must never happen here: a call to a provider.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from celery import current_app
from django.db import connection, transaction

from exchange.accounts.selectors import Person
from exchange.notifications import channels, kinds, messages, recipients
from exchange.notifications.channels.web_push import service_of
from exchange.notifications.models import Delivery, Phone, PushDevice
from exchange.notifications.services import preferences
from exchange.outbox.registry import Event

Channel = Delivery.Channel
# So long it is tried: a mail as mail servers do it themselves, a push while it is news, an SMS while it still warns.
TRIED_FOR = {
    Channel.EMAIL: timedelta(days=3),
    Channel.WEB_PUSH: timedelta(hours=12),
    Channel.FCM: timedelta(hours=12),
    Channel.APNS: timedelta(hours=12),
    Channel.SMS: timedelta(hours=2),
}
_OF_PLATFORM = {
    PushDevice.Platform.WEB: kinds.WEB_PUSH,
    PushDevice.Platform.FCM: kinds.APP_PUSH,
    PushDevice.Platform.APNS: kinds.APP_PUSH,
}


def plan(event: Event) -> None:
    """A reader of the outbox."""
    message = messages.BY_TOPIC[event.topic](event.payload)
    if message is not None:
        plan_for(recipients.of(message), message, event)


def plan_for(people: Sequence[Person], message: messages.Message, event: Event) -> int:
    """The rows of these people; how many were made. Three queries, however many people."""
    topic = kinds.topic_of(message.kind)
    ids = [person.id for person in people]
    chosen = preferences.of_many(ids)
    devices, phones = _devices(people), _phones(people)
    rows: list[Delivery] = []
    for person in people:
        choices = chosen.get(person.id, {})
        if kinds.wants(topic, kinds.EMAIL, choices):
            rows += [_row(event, message, person, Channel.EMAIL, _hash(address), provider="mail", address=address)
                     for address in dict.fromkeys((person.email, message.also_to)) if address]  # fmt: skip
        for device in devices.get(person.id, ()):
            if kinds.wants(topic, _OF_PLATFORM[PushDevice.Platform(device.platform)], choices):
                row = _row(event, message, person, device.platform, f"device:{device.id}", provider=_carrier(device))
                row.device_id = device.id
                rows.append(row)
        if person.id in phones and kinds.wants(topic, kinds.SMS, choices):
            rows.append(_row(event, message, person, Channel.SMS, "phone", provider="sms"))
    Delivery.objects.bulk_create(rows, ignore_conflicts=True)
    wake(rows)
    return len(rows)


def _row(
    event: Event,
    message: messages.Message,
    person: Person,
    channel: str,
    target: str,
    *,
    provider: str,
    address: str = "",
) -> Delivery:
    return Delivery(
        event_id=event.id,
        user_id=person.id,
        kind=message.kind,
        channel=channel,
        target=target,
        provider=provider[:80],
        address=address,
        due_at=event.now,
        expires_at=event.now + TRIED_FOR[Channel(channel)],
        created_at=event.now,
    )


def _devices(people: Sequence[Person]) -> dict[int, list[PushDevice]]:
    """Of those who can log in: a device goes with its log-in, and this is the belt to that brace."""
    found: dict[int, list[PushDevice]] = defaultdict(list)
    on = [platform for platform in PushDevice.Platform.values if channels.switched_on(platform)]
    ids = [person.id for person in people if person.is_active]
    if on and ids:
        for device in PushDevice.objects.filter(user_id__in=ids, platform__in=on, dropped_at=None).order_by("id"):
            found[device.user_id].append(device)
    return found


def _phones(people: Sequence[Person]) -> set[int]:
    if not channels.switched_on(Channel.SMS):
        return set()
    ids = [person.id for person in people if person.is_active]
    return set(Phone.objects.filter(user_id__in=ids).exclude(confirmed_at=None).values_list("user_id", flat=True))


def _carrier(device: PushDevice) -> str:
    """A browser maker's service that is down holds up its own browsers alone."""
    if device.platform == PushDevice.Platform.WEB:
        return f"web_push:{service_of(device.token) or 'unknown'}"
    return device.platform


def _hash(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()


def wake(rows: Sequence[Delivery]) -> None:
    """After the commit, once for all that was planned in one transaction. The timetable sends too, should the broker be down."""
    for wanted, call in ((True, _wake_mails), (False, _wake_pushes)):
        if any((row.channel == Channel.EMAIL) is wanted for row in rows):
            _after_commit(call)


def _after_commit(call: Callable[[], None]) -> None:
    if all(waiting is not call for _, waiting, _ in connection.run_on_commit):
        transaction.on_commit(call, robust=True)


def _wake_mails() -> None:
    current_app.send_task("notifications.send_mails", retry=False)


def _wake_pushes() -> None:
    current_app.send_task("notifications.send_pushes", retry=False)


def owed_before(when: datetime) -> int:
    """How many are overdue since then; for the health of the house."""
    return Delivery.objects.filter(state__in=["waiting", "sending"], due_at__lt=when).count()
