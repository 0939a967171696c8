"""Sends what is due, one row after the other: a lease that is committed first, then the call, then what became of it.

No transaction is open during a call. A worker that dies leaves its lease, which runs out: the row is tried again with the same
Message-ID, tag or apns-id, so that a mail program or a phone shows it once; an SMS, which nothing can recall, is not. A provider
that fails is left alone for a while, and holds up nobody else's messages.
What must never happen here: a row that is owed and cannot be seen, or a lease shorter than a call may take.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from django.db import connection, transaction
from django.db.models import F
from django.utils import translation

from exchange.accounts import selectors as accounts
from exchange.notifications import channels, messages, metrics, recipients, registry
from exchange.notifications.channels.parcels import Device, Down, Gone, Later, Outcome, Parcel, Refused, Sent, Unsure
from exchange.notifications.models import Delivery, Provider, PushDevice
from exchange.notifications.services import devices, phones
from exchange.outbox import selectors as outbox

State = Delivery.State
MAILS = (Delivery.Channel.EMAIL,)
PUSHES = (Delivery.Channel.WEB_PUSH, Delivery.Channel.FCM, Delivery.Channel.APNS, Delivery.Channel.SMS)
LEASE = timedelta(minutes=3)  # no call takes half of it
WAIT_FIRST_S, WAIT_MAX_S = 2.0, 3600.0
FAILURES_ALLOWED, PAUSE_FIRST_S, PAUSE_MAX_S = 3, 30.0, 600.0
KEPT = timedelta(days=90)

log = structlog.get_logger(__name__)

_NEXT = """
SELECT id FROM notifications_delivery
WHERE channel = ANY(%s) AND state IN ('waiting', 'sending') AND due_at <= %s AND NOT provider = ANY(%s)
ORDER BY due_at, id
LIMIT 1 FOR UPDATE SKIP LOCKED
"""


class NotNeeded(Exception):
    """Nobody is there to be told any more, or the news is over."""


def send_next(*, of: Sequence[str], now: datetime) -> bool:
    """Sends one due row of these channels. False where none is due."""
    row = _lease(of, now)
    if row is None:
        return False
    if row.state != State.SENDING:
        return True  # it was settled without a call
    try:
        outcome = channels.sender(row.channel)(_parcel(row, now))
    except NotNeeded as reason:
        _settle(row, State.DROPPED, error=str(reason))
        return True
    except Exception as error:  # a bug of ours or a library's: kept, counted, tried again
        log.exception("notifications.sending_failed", delivery_id=row.id, channel=row.channel)
        outcome = Later(type(error).__name__)
    _take(row, outcome, now)
    return True


def send(*, of: Sequence[str], now: datetime, limit: int = 500) -> int:
    """Sends what is due at this moment; how many rows that were."""
    done = 0
    while done < limit and send_next(of=of, now=now):
        done += 1
    return done


def requeue(*, delivery_ids: Sequence[int], now: datetime) -> int:
    """Tries again, from the start, what was given up; how many that were."""
    found = Delivery.objects.filter(id__in=list(delivery_ids), state=State.DEAD)
    return found.update(state=State.WAITING, attempts=0, due_at=now, expires_at=now + timedelta(days=1), error="")


def prune(*, now: datetime) -> int:
    """Forgets what was settled long ago; how many rows went."""
    old = Delivery.objects.filter(created_at__lt=now - KEPT)
    return old.exclude(state__in=[State.WAITING, State.SENDING, State.DEAD]).delete()[0]


def _lease(of: Sequence[str], now: datetime) -> Delivery | None:
    paused = list(Provider.objects.filter(paused_until__gt=now).values_list("name", flat=True))
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_NEXT, [list(of), now, paused])
            found = cursor.fetchone()
        if found is None:
            return None
        row = Delivery.objects.get(id=found[0])
        if row.state == State.SENDING and row.channel == Delivery.Channel.SMS:
            row.state, row.error = State.UNKNOWN, "whoever sent it did not come back"
        elif row.expires_at <= now:
            row.state = State.DEAD
        else:
            row.state, row.attempts, row.due_at = State.SENDING, row.attempts + 1, now + LEASE
        row.save(update_fields=["state", "attempts", "due_at", "error"])
    return row


def _parcel(row: Delivery, now: datetime) -> Parcel:
    """The words anew, in the person's language. Raises NotNeeded."""
    person = accounts.people([row.user_id]).get(row.user_id)
    event = outbox.event(row.event_id, attempt=row.attempts, now=now)
    if person is None or event is None:
        raise NotNeeded("the person or the event is gone")
    make = registry.maker(event.topic) if row.channel == Delivery.Channel.EMAIL else None
    if make is not None and row.address != person.email:
        raise NotNeeded("it holds a secret, and the address was replaced meanwhile")
    language = recipients.language(person)
    with translation.override(language):
        message = make(event) if make is not None else messages.BY_TOPIC[event.topic](event.payload)
    if message is None or not recipients.may_have(person, message):
        raise NotNeeded("there is nothing to tell any more")
    return Parcel(
        number=row.id,
        event=event,
        person=person,
        message=message,
        language=language,
        address=row.address,
        device=_device(row),
        phone=_phone(row),
        seconds_left=max(60, int((row.expires_at - now).total_seconds())),
    )


def _device(row: Delivery) -> Device | None:
    if row.device_id is None:
        return None
    device = PushDevice.objects.filter(id=row.device_id, user_id=row.user_id, dropped_at=None).first()
    if device is None:
        raise NotNeeded("the device is gone")
    return Device(id=device.id, token=device.token, p256dh=device.p256dh, auth=device.auth)


def _phone(row: Delivery) -> str:
    if row.channel != Delivery.Channel.SMS:
        return ""
    number = phones.number_of(row.user_id)
    if not number:
        raise NotNeeded("there is no number")
    return number


def _take(row: Delivery, outcome: Outcome, now: datetime) -> None:
    metrics.outcomes.labels(row.channel, type(outcome).__name__.lower()).inc()
    if isinstance(outcome, Down):
        _note_failure(row.provider, outcome, now)
    else:
        Provider.objects.filter(name=row.provider, failures__gt=0).update(failures=0, paused_until=None, error="")
    match outcome:
        case Sent(reference):
            _settle(row, State.SENT, reference=reference[:120], sent_at=now)
            if row.device_id is not None:
                PushDevice.objects.filter(id=row.device_id).update(last_sent_at=now)
        case Gone(why):
            _settle(row, State.DROPPED, error=why)
            _drop_target(row, why, now)
        case Refused(why):
            log.warning("notifications.refused", delivery_id=row.id, channel=row.channel, why=why)
            _settle(row, State.DEAD, error=why)
        case Unsure(why):
            _settle(row, State.UNKNOWN, error=why)
        case Later(why, after_s) | Down(why, after_s):
            wait = max(after_s, min(WAIT_FIRST_S * 2 ** (row.attempts - 1), WAIT_MAX_S))
            log.warning(
                "notifications.not_sent", delivery_id=row.id, channel=row.channel, attempt=row.attempts, why=why
            )
            _settle(row, State.WAITING, error=why, due_at=now + timedelta(seconds=wait))


def _settle(row: Delivery, state: str, **columns: object) -> None:
    """Only whoever has the row: one whose lease ran out, and that another has taken, is the other's to settle, unless it
    was sent."""
    columns["error"] = str(columns.get("error", ""))[:300]
    rows = Delivery.objects.filter(id=row.id, state=State.SENDING)
    if state != State.SENT:
        rows = rows.filter(attempts=row.attempts)
    rows.update(state=state, **columns)


def _note_failure(name: str, outcome: Down, now: datetime) -> None:
    with transaction.atomic():
        Provider.objects.get_or_create(name=name)
        Provider.objects.filter(name=name).update(failures=F("failures") + 1, error=outcome.why[:300], failed_at=now)
        failures = Provider.objects.values_list("failures", flat=True).get(name=name)
        if failures >= FAILURES_ALLOWED or outcome.after_s:
            pause = min(PAUSE_FIRST_S * 2 ** max(0, min(failures - FAILURES_ALLOWED, 10)), PAUSE_MAX_S)
            until = now + timedelta(seconds=max(pause, outcome.after_s))
            Provider.objects.filter(name=name).update(paused_until=until)
            log.warning("notifications.provider_paused", provider=name, failures=failures, until=until.isoformat())


def _drop_target(row: Delivery, why: str, now: datetime) -> None:
    if row.device_id is not None:
        devices.drop_dead(device_id=row.device_id, why=why, now=now)
    elif row.channel == Delivery.Channel.SMS:
        phones.drop_dead(user_id=row.user_id, why=why, now=now)
