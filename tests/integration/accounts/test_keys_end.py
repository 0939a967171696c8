"""API keys end with what made them possible: a reset password, another address, a frozen account."""

from __future__ import annotations

import re
import threading

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from exchange.accounts.keys import services as keys
from exchange.accounts.models import ApiKey, User
from exchange.accounts.services import customers, emails, freezing
from exchange.core.errors import NotAuthenticated
from exchange.outbox.models import Event
from tests.factors import BACKEND, give_factor, step_up

PASSWORD = "correct horse battery staple"
NEW = "entirely another secret"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return customers.open(email="alice@example.org", password=PASSWORD, email_verified=True, now=timezone.now())


@pytest.fixture
def key(alice):
    return make(alice)


def make(user_id):
    return keys.create(user_id=user_id, label="bot", kind="hmac", trade=True, now=timezone.now()).key.key_id


def live():
    return list(ApiKey.objects.filter(revoked_at=None).values_list("key_id", flat=True))


def details():
    return [
        event.payload["detail"] for event in Event.objects.filter(topic="accounts.credential_changed").order_by("id")
    ]


def reset(client):
    client.post(reverse("account_reset_password"), {"email": "alice@example.org"})
    link = re.findall(r"http://[^/\s]+(/accounts/password/reset/key/\S+)", mail.outbox[-1].body)[0]
    form = client.get(link, follow=True)
    client.post(form.redirect_chain[-1][0], {"password1": NEW, "password2": NEW})
    assert User.objects.get().check_password(NEW)


@pytest.mark.parametrize("logged_in", [False, True])
def test_a_reset_by_mail_ends_them_and_says_so(alice, key, logged_in):
    client = Client()
    if logged_in:
        client.force_login(User.objects.get(), backend=BACKEND)
    reset(client)
    assert live() == [] and ApiKey.objects.get().sealed_secret is None
    assert details()[-1] == "Password reset, API keys ended"


def test_an_app_s_reset_ends_them(alice, key):
    client = Client()
    client.post(reverse("account_reset_password"), {"email": "alice@example.org"})
    found = re.findall(r"/accounts/password/reset/key/([^/\s]+)/", mail.outbox[-1].body)[0]
    body = {"key": found, "password": NEW}
    client.post("/_allauth/app/v1/auth/password/reset", body, content_type="application/json")
    assert User.objects.get().check_password(NEW) and live() == []


def test_who_knows_the_old_password_keeps_them(alice, key):
    give_factor(alice)
    client = Client()
    client.force_login(User.objects.get(), backend=BACKEND)
    step_up(client, alice)
    client.post(reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})
    assert User.objects.get().check_password(NEW) and live() == [key]
    assert details()[-1] == "Password changed"


def test_a_password_put_by_whoever_sits_at_the_machine_ends_them(alice, key):
    user = User.objects.get()
    user.set_password(NEW)
    user.save()
    assert live() == []


def test_another_address_ends_them(alice, key):
    client = Client()
    client.force_login(User.objects.get(), backend=BACKEND)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    client.post(reverse("account_email"), {"email": "new@example.org", "action_add": ""})
    assert live() == [key]
    link = re.search(r"https?://[^/\s]+(/accounts/confirm-email/\S+/)", mail.outbox[-1].body)[1]
    client.post(link)
    assert EmailAddress.objects.get(verified=True).email == "new@example.org" and live() == []
    assert details()[-1] == "E-mail address changed, API keys ended"


def test_an_address_put_by_staff_ends_them(alice, key):
    now = timezone.now()
    emails.put_by_staff(user_id=alice, old="alice@example.org", new="new@example.org", actor_id=10**6, now=now)
    assert live() == []


def test_none_is_made_for_an_account_that_is_shut(alice):
    freezing.freeze(user_id=alice, reason="test", now=timezone.now())
    with pytest.raises(NotAuthenticated):
        make(alice)
    assert not ApiKey.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_one_under_way_is_not_made_after_the_freeze(alice):
    refused = []

    def thief():
        try:
            make(alice)
        except NotAuthenticated as error:
            refused.append(error)
        finally:
            connection.close()

    under_way = threading.Thread(target=thief)
    with transaction.atomic():
        freezing.freeze(user_id=alice, reason="test", now=timezone.now())
        under_way.start()
        under_way.join(1)
        assert under_way.is_alive()  # it waits for this transaction
    under_way.join(20)
    assert len(refused) == 1 and live() == []
