"""Log-ins as browsers make them, and the mails that follow, for tests of devices, sessions and the link that freezes."""

from __future__ import annotations

import re

from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from exchange.accounts.services import customers
from exchange.outbox.models import Event
from tests import mailing

PASSWORD = "correct horse battery"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


def opened(name, **fields):
    return customers.open(
        email=f"{name}@example.org", password=PASSWORD, email_verified=True, now=timezone.now(), **fields
    )


def browser(agent=FIREFOX, address="192.0.2.10"):
    return Client(HTTP_USER_AGENT=agent, REMOTE_ADDR=address)


def log_in(client, name="alice", password=PASSWORD):
    client.post(reverse("account_login"), {"login": f"{name}@example.org", "password": password})
    return "_auth_user_id" in client.session


def told(topic="accounts.logged_in_from_new_device"):
    return list(Event.objects.filter(topic=topic).order_by("id").values_list("payload", flat=True))


def delivered():
    mail.outbox.clear()
    mailing.deliver(now=timezone.now())
    return list(mail.outbox)


def link_in(message):
    return re.search(r"https?://[^/\s]+(/account/not-me/\S+/)", message.body)[1]


def new_device_mail():
    """A first log-in, one from another device, and the mail about that."""
    assert log_in(browser()) and log_in(browser(CHROME, "198.51.100.7"))
    (message,) = delivered()
    return message
