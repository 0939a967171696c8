"""Nothing twice, nothing lost: leases, crashes, back-off, and providers that are down."""

from datetime import timedelta
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPServerDisconnected

import pytest
from django.core import mail
from django.core.cache import cache
from django.core.mail.backends import locmem
from django.utils import timezone

from exchange.accounts.models import User
from exchange.notifications import channels, tasks
from exchange.notifications.channels import email
from exchange.notifications.channels.parcels import Down, Sent
from exchange.notifications.models import Delivery, Provider, PushDevice
from exchange.notifications.services import preferences, sending
from tests.integration.notifications.conftest import FCM_TOKEN, give_phone, register, subscribe, tell
from tests.providers.messengers import Said

pytestmark = pytest.mark.django_db


class Killed(BaseException):
    """What no handler of errors catches, as a SIGKILL is caught by none."""


def dies_after(monkeypatch, module):
    """Whoever sends by this module has sent, and is gone before it could say so."""
    send = module.send

    def sent_and_gone(parcel):
        send(parcel)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(module, "send", sent_and_gone)
        with pytest.raises(Killed):
            sending.send(of=sending.MAILS + sending.PUSHES, now=timezone.now())


def test_a_mail_whose_sender_died_comes_again_under_the_same_id_once_the_lease_is_over(ann, monkeypatch):
    tell(ann)
    dies_after(monkeypatch, email)
    assert Delivery.objects.get().state == "sending"
    sending.send(of=sending.MAILS, now=timezone.now())
    assert len(mail.outbox) == 1, "whoever has the lease may still be at it"
    sending.send(of=sending.MAILS, now=timezone.now() + sending.LEASE + timedelta(seconds=1))
    assert len(mail.outbox) == 2 and Delivery.objects.get().state == "sent"
    assert len({each.extra_headers["Message-ID"] for each in mail.outbox}) == 1


def test_a_push_whose_sender_died_replaces_itself_in_the_browser(ann, browser, messengers, monkeypatch):
    from exchange.notifications.channels import web_push

    subscribe(ann, browser, messengers)
    tell(ann, pushes=False)
    sending.send(of=sending.MAILS, now=timezone.now())
    dies_after(monkeypatch, web_push)
    sending.send(of=sending.PUSHES, now=timezone.now() + sending.LEASE + timedelta(seconds=1))
    assert len(messengers.pushes) == 2
    assert len({browser.reads(body)["tag"] for _, _, body in messengers.pushes}) == 1
    assert len({headers["topic"] for _, headers, _ in messengers.pushes}) == 1


def test_an_sms_whose_sender_died_is_not_sent_again(ann, messengers, monkeypatch):
    from exchange.notifications.channels import sms

    give_phone(ann)
    tell(ann, "accounts.logged_in_from_new_device", pushes=False)
    sending.send(of=sending.MAILS, now=timezone.now())
    dies_after(monkeypatch, sms)
    sending.send(of=sending.PUSHES, now=timezone.now() + sending.LEASE + timedelta(hours=1))
    assert len(messengers.texts) == 1 and Delivery.objects.get(channel="sms").state == "unknown"


def test_one_that_died_before_it_sent_loses_nothing(ann, monkeypatch):
    tell(ann)

    def gone(parcel):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(email, "send", gone)
        with pytest.raises(Killed):
            sending.send(of=sending.MAILS, now=timezone.now())
    sending.send(of=sending.MAILS, now=timezone.now() + sending.LEASE + timedelta(seconds=1))
    assert len(mail.outbox) == 1 and Delivery.objects.get().state == "sent"


def test_two_workers_never_take_the_same_row(ann, monkeypatch):
    tell(ann)
    taken = []

    def slow(parcel):
        taken.append(parcel.number)
        sending.send(of=sending.MAILS, now=timezone.now())  # another worker, while this one is at it
        return Sent()

    monkeypatch.setattr(email, "send", slow)
    sending.send(of=sending.MAILS, now=timezone.now())
    assert len(taken) == 1


def test_the_same_event_planned_again_makes_no_second_row(ann, browser, messengers):
    from exchange.notifications.services import planning
    from exchange.outbox import selectors as outbox

    subscribe(ann, browser, messengers)
    event_id = tell(ann)
    planning.plan(outbox.event(event_id, attempt=2, now=timezone.now()))
    assert Delivery.objects.count() == 2 and len(messengers.pushes) == 1


def test_the_waits_grow_and_after_three_days_a_mail_is_given_up_and_shown(ann, monkeypatch):
    from exchange.notifications.channels.parcels import Later

    monkeypatch.setattr(email, "send", lambda parcel: Later("SMTP 450"))
    tell(ann)
    now, waits = timezone.now(), []
    for _ in range(6):
        sending.send(of=sending.MAILS, now=now)
        waits.append((Delivery.objects.get().due_at - now).total_seconds())
        now = Delivery.objects.get().due_at
    assert waits == [2, 4, 8, 16, 32, 64]
    sending.send(of=sending.MAILS, now=timezone.now() + timedelta(days=3, minutes=1))
    row = Delivery.objects.get()
    assert row.state == "dead" and row.error == "SMTP 450"
    monkeypatch.undo()
    assert sending.requeue(delivery_ids=[row.id], now=timezone.now()) == 1
    sending.send(of=sending.MAILS, now=timezone.now())
    assert len(mail.outbox) == 1


def test_a_provider_that_is_down_is_left_alone_for_a_while_and_delays_no_mail(ann, messengers):
    register(ann, "fcm", FCM_TOKEN)
    messengers.said.extend([Said(503)] * 3)
    for _ in range(5):
        tell(ann)
    assert len(messengers.messages) == 3, "after three failures in a row it is asked nothing for a while"
    assert Provider.objects.get(name="fcm").paused_until > timezone.now()
    assert sending.send(of=sending.MAILS, now=timezone.now()) == 5 and len(mail.outbox) == 5
    sending.send(of=sending.PUSHES, now=timezone.now() + timedelta(minutes=2))
    assert Delivery.objects.filter(channel="fcm", state="sent").count() == 5
    assert Provider.objects.get(name="fcm").failures == 0


def test_a_push_service_that_is_down_holds_up_its_own_browsers_alone(ann, browser, messengers):
    subscribe(ann, browser, messengers)
    register(ann, "fcm", FCM_TOKEN)
    Provider.objects.create(
        name=Delivery(provider=f"web_push:{messengers.url.removeprefix('https://')}").provider,
        failures=5,
        paused_until=timezone.now() + timedelta(minutes=5),
    )
    tell(ann)
    assert (len(messengers.pushes), len(messengers.messages)) == (0, 1)


def test_mails_and_pushes_are_sent_by_different_queues():
    from config.celery import app

    assert app.conf.task_routes["notifications.send_pushes"] == {"queue": "push"}
    assert "notifications.send_mails" not in app.conf.task_routes
    assert set(sending.MAILS).isdisjoint(sending.PUSHES)
    assert set(sending.MAILS) | set(sending.PUSHES) == set(channels.Channel.values)


def test_a_mail_server_that_is_down_keeps_no_reader_of_the_outbox_waiting(ann, monkeypatch):
    calls = []

    def down(self, batch):
        calls.append(1)
        raise SMTPServerDisconnected("no")

    monkeypatch.setattr(locmem.EmailBackend, "send_messages", down)
    for _ in range(6):
        tell(ann)
    sending.send(of=sending.MAILS, now=timezone.now())
    assert len(calls) == 3 and Delivery.objects.filter(state="waiting").count() == 6
    assert Provider.objects.get(name="mail").paused_until is not None


def test_what_is_of_no_use_any_more_is_not_sent(ann, browser, messengers):
    subscribe(ann, browser, messengers)
    tell(ann, pushes=False)
    PushDevice.objects.update(dropped_at=timezone.now(), token="")
    User.objects.filter(id=ann).update(is_active=False)
    sending.send(of=sending.MAILS + sending.PUSHES, now=timezone.now())
    assert not mail.outbox and not messengers.pushes
    assert set(Delivery.objects.values_list("state", flat=True)) == {"dropped"}


def test_a_bug_in_one_message_is_kept_and_stops_no_other(ann, monkeypatch):
    bob_first = tell(ann)

    real = email.send

    def breaks(parcel):
        if parcel.event.id == bob_first:
            raise ZeroDivisionError
        return real(parcel)

    monkeypatch.setattr(email, "send", breaks)
    tell(ann)
    sending.send(of=sending.MAILS, now=timezone.now())
    assert len(mail.outbox) == 1
    assert Delivery.objects.get(event_id=bob_first).error == "ZeroDivisionError"


def test_what_one_wants_decides_by_which_ways_news_comes(ann, browser, messengers):
    subscribe(ann, browser, messengers)
    preferences.choose(user_id=ann, wanted={("deposits", "email"): False, ("deposits", "page"): False})
    tell(ann)
    assert list(Delivery.objects.values_list("channel", flat=True)) == ["web_push"]
    preferences.choose(user_id=ann, wanted={("security", "web_push"): False, ("security", "sms"): False})
    tell(ann, "accounts.logged_in_from_new_device")
    assert Delivery.objects.filter(kind="new_device").get().channel == "email"


@pytest.mark.parametrize("channel", ["page", "email"])
def test_news_about_safety_cannot_be_switched_off(ann, channel):
    with pytest.raises(preferences.PreferenceInvalid):
        preferences.choose(user_id=ann, wanted={("security", channel): False})
    from exchange.notifications.models import Notification, Preference

    Preference.objects.create(user_id=ann, topic="security", channel=channel, wanted=False)  # however it came there
    tell(ann, "accounts.logged_in_from_new_device")
    assert Delivery.objects.filter(channel="email").count() == Notification.objects.count() == 1


def test_old_rows_are_forgotten_and_what_is_owed_is_not(ann):
    tell(ann)
    tell(ann)
    first, second = Delivery.objects.order_by("id")
    Delivery.objects.filter(id=first.id).update(state="sent", sent_at=timezone.now())
    assert sending.prune(now=timezone.now() + timedelta(days=91)) == 1
    assert Delivery.objects.get().id == second.id


def test_a_pause_of_a_provider_grows_and_ends(ann, monkeypatch):
    monkeypatch.setattr(email, "send", lambda parcel: Down("no"))
    tell(ann)
    now, pauses = timezone.now(), []
    for _ in range(5):
        Delivery.objects.update(due_at=now)
        sending.send_next(of=sending.MAILS, now=now)
        until = Provider.objects.get(name="mail").paused_until
        pauses.append(None if until is None else (until - now).total_seconds())
        now = max(now, until or now)
    assert pauses == [None, None, 30, 60, 120]


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (SMTPRecipientsRefused({"ann@example.org": (550, b"no such user")}), "dead"),
        (SMTPRecipientsRefused({"ann@example.org": (450, b"later")}), "waiting"),
        (SMTPDataError(554, b"spam"), "dead"),
        (SMTPDataError(452, b"full"), "waiting"),
    ],
)
def test_a_mailbox_that_refuses_stops_no_other_mail(ann, monkeypatch, error, state):
    def refused(self, batch):
        raise error

    monkeypatch.setattr(locmem.EmailBackend, "send_messages", refused)
    tell(ann)
    sending.send(of=sending.MAILS, now=timezone.now())
    assert Delivery.objects.get().state == state and not Provider.objects.exists()


def test_the_task_of_pushes_runs_alone_and_that_of_mails_beside_it(ann, messengers):
    register(ann, "fcm", FCM_TOKEN)
    tell(ann, pushes=False)
    cache.add(tasks.PUSHES_LOCK, 1, timeout=60)  # another worker is at it
    try:
        tasks.send_pushes()
        assert messengers.messages == []
        tasks.send_mails()
        assert len(mail.outbox) == 1
    finally:
        cache.delete(tasks.PUSHES_LOCK)
    tasks.send_pushes()
    assert len(messengers.messages) == 1 and cache.get(tasks.PUSHES_LOCK) is None
