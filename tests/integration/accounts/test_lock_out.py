"""Whoever guesses locks out himself and nobody else; a reset by e-mail keeps the second factor and lets nobody in."""

import json
import re

import pytest
from allauth.mfa.models import Authenticator
from axes.models import AccessAttempt
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from exchange.accounts import selectors, watching
from exchange.accounts.services import customers
from exchange.audit.models import Record
from tests import factors

PASSWORD = "correct horse battery staple"
APP = "/_allauth/app/v1"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return customers.open(email="alice@example.org", password=PASSWORD, email_verified=True, now=timezone.now())


def log_in(client, email="alice@example.org", password=PASSWORD, **extra):
    return client.post(reverse("account_login"), {"login": email, "password": password}, **extra)


def app_log_in(client, email="alice@example.org", password=PASSWORD, **extra):
    body = json.dumps({"email": email, "password": password})
    return client.post(f"{APP}/auth/login", body, content_type="application/json", **extra)


def inside(client):
    return "_auth_user_id" in client.session


class TestLockOut:
    """django-axes counts wrong passwords by address and peer together."""

    ATTACKER, OWNER = {"REMOTE_ADDR": "192.0.2.66"}, {"REMOTE_ADDR": "198.51.100.7"}

    def guess(self, attempt, times=10, email="alice@example.org", **extra):
        return [attempt(Client(), email, "guess", **extra) for _ in range(times)]

    @pytest.mark.parametrize("attempt", [log_in, app_log_in])
    def test_who_guesses_is_locked_out_and_the_owner_is_not(self, alice, attempt):
        answers = self.guess(attempt, **self.ATTACKER)
        assert answers[-1].status_code == 429 and int(answers[-1]["Retry-After"]) > 0
        right = attempt(Client(), **self.ATTACKER)
        assert right.status_code == 429  # not even the right password helps that peer now
        owner = attempt(Client(), **self.OWNER)
        assert owner.status_code == (302 if attempt is log_in else 200)

    def test_a_lock_is_told_to_an_app_in_json(self, alice):
        answer = self.guess(app_log_in, **self.ATTACKER)[-1]
        (error,) = answer.json()["errors"]
        assert error["code"] == "log_in_locked" and "Too many wrong passwords" in error["message"]

    def test_form_and_app_count_together(self, alice):
        self.guess(log_in, 5, **self.ATTACKER)
        self.guess(app_log_in, 5, **self.ATTACKER)
        assert log_in(Client(), **self.ATTACKER).status_code == 429

    def test_an_unknown_address_is_locked_the_same(self, alice):
        answers = [
            self.guess(log_in, email=email, REMOTE_ADDR=peer)[-1]
            for email, peer in (("alice@example.org", "192.0.2.66"), ("nobody@example.org", "192.0.2.67"))
        ]
        texts = [re.sub(r"<code>\w+</code>|\b[0-9A-F]{10}\b", "", answer.content.decode()) for answer in answers]
        assert answers[0].status_code == answers[1].status_code == 429 and texts[0] == texts[1]

    def test_behind_our_own_proxy_the_peers_are_told_apart(self, alice, settings):
        """Otherwise everybody would come from the proxy, and one guesser would lock the owner out."""
        settings.TRUSTED_PROXY_COUNT = 1
        proxy = {"REMOTE_ADDR": "10.0.0.1"}
        self.guess(log_in, HTTP_X_FORWARDED_FOR="192.0.2.66", **proxy)
        assert log_in(Client(), HTTP_X_FORWARDED_FOR="192.0.2.66", **proxy).status_code == 429
        owner = Client()
        log_in(owner, HTTP_X_FORWARDED_FOR="198.51.100.7", **proxy)
        assert inside(owner)

    def test_what_anybody_can_write_into_a_header_is_no_peer(self, alice):
        """A new forged address each time would be ten more guesses each time; the owner's would lock the owner out."""
        for number in range(10):
            log_in(Client(), password="guess", HTTP_X_FORWARDED_FOR=f"203.0.113.{number}", **self.ATTACKER)
        assert log_in(Client(), HTTP_X_FORWARDED_FOR="203.0.113.99", **self.ATTACKER).status_code == 429
        for _ in range(10):
            log_in(Client(), password="guess", HTTP_X_FORWARDED_FOR="198.51.100.7", REMOTE_ADDR="192.0.2.67")
        owner = Client()
        log_in(owner, **self.OWNER)
        assert inside(owner)

    def test_an_ipv6_network_is_one_peer(self, alice):
        for number in range(10):
            log_in(Client(), password="guess", REMOTE_ADDR=f"2001:db8:1:2::{number:x}")
        assert log_in(Client(), REMOTE_ADDR="2001:db8:1:2:ffff::1").status_code == 429
        owner = Client()
        log_in(owner, REMOTE_ADDR="2001:db8:1:3::1")
        assert inside(owner)

    def test_neither_the_owner_s_log_in_nor_one_of_the_attacker_s_own_wins_more_guesses(self, alice):
        customers.open(email="mallory@example.org", password=PASSWORD, email_verified=True, now=timezone.now())
        self.guess(log_in, 9, **self.ATTACKER)
        log_in(Client(), **self.OWNER)
        log_in(Client(), "mallory@example.org", **self.ATTACKER)
        assert self.guess(log_in, 1, **self.ATTACKER)[0].status_code == 429

    def test_many_addresses_from_one_peer_are_slowed_down(self):
        """Twenty wrong passwords a minute, whoever they are for."""
        for number in range(20):
            log_in(Client(), f"person{number}@example.org", "guess", **self.ATTACKER)
        answer = app_log_in(Client(), "person20@example.org", "guess", **self.ATTACKER)
        assert answer.status_code == 400 and answer.json()["errors"][0]["code"] == "too_many_login_attempts"

    def test_a_new_password_by_e_mail_ends_the_lock_for_its_owner_s_peer_alone(self, alice):
        self.guess(log_in, **self.ATTACKER)
        self.guess(log_in, **self.OWNER)
        owner = Client(**self.OWNER)
        assert log_in(owner).status_code == 429
        new = "entirely another secret"
        reset(owner, new)
        log_in(owner, password=new)
        assert inside(owner)
        assert log_in(Client(), password=new, **self.ATTACKER).status_code == 429

    def test_a_unix_socket_s_peer_is_counted_too(self, rf):
        request = rf.get("/")
        request.META["REMOTE_ADDR"] = ""
        assert watching.attempted_from(request) is None

    def test_no_attempt_keeps_a_password(self, alice):
        self.guess(log_in, 2, **self.ATTACKER)
        assert AccessAttempt.objects.exists()
        assert not any("guess" in str(attempt) for attempt in AccessAttempt.objects.values())


def reset(client, password):
    client.post(reverse("account_reset_password"), {"email": "alice@example.org"})
    link = re.findall(r"http://[^/\s]+(/accounts/password/reset/key/\S+)", mail.outbox[-1].body)[0]
    form = client.get(link, follow=True).redirect_chain[-1][0]
    answer = client.post(form, {"password1": password, "password2": password})
    assert answer.url == reverse("account_reset_password_from_key_done")


class TestReset:
    NEW = "entirely another secret"

    def test_it_keeps_the_second_factor_and_lets_nobody_in_by_itself(self, alice):
        factors.give_factor(alice)
        before = list(Authenticator.objects.order_by("id").values("id", "type", "data"))
        client = Client()
        reset(client, self.NEW)
        assert not inside(client)
        assert before and list(Authenticator.objects.order_by("id").values("id", "type", "data")) == before
        answer = log_in(client, password=self.NEW)
        assert answer.url == reverse("mfa_authenticate") and not inside(client)

    def test_an_app_s_reset_keeps_it_too(self, alice):
        factors.give_factor(alice)
        client = Client()
        ask = lambda path, body: client.post(f"{APP}/{path}", json.dumps(body), content_type="application/json")  # noqa: E731
        assert ask("auth/password/request", {"email": "alice@example.org"}).status_code == 200
        key = re.findall(r"/accounts/password/reset/key/([^/\s]+)/", mail.outbox[-1].body)[0]
        assert ask("auth/password/reset", {"key": key, "password": self.NEW}).status_code == 401
        again = ask("auth/password/reset", {"key": key, "password": self.NEW})
        assert again.status_code == 400  # once
        answer = app_log_in(client, password=self.NEW)
        assert answer.status_code == 401
        (pending,) = [flow for flow in answer.json()["data"]["flows"] if flow.get("is_pending")]
        assert pending["id"] == "mfa_authenticate" and "totp" in pending["types"]

    def test_it_ends_every_log_in_and_pauses_withdrawals(self, alice):
        client = Client()
        log_in(client)
        token = app_log_in(Client()).json()["meta"]["session_token"]
        reset(Client(), self.NEW)
        assert client.get(reverse("account_email")).status_code == 302
        gone = Client().get(f"{APP}/auth/session", headers={"x-session-token": token})
        assert gone.status_code in (401, 410)
        assert selectors.paused_until(alice, timezone.now()) is not None
        assert Record.objects.filter(action="credential.change", after__what="password").count() == 1

    def test_a_link_of_before_another_change_is_worth_nothing(self, alice):
        client = Client()
        client.post(reverse("account_reset_password"), {"email": "alice@example.org"})
        old = re.findall(r"http://[^/\s]+(/accounts/password/reset/key/\S+)", mail.outbox[-1].body)[0]
        reset(Client(), self.NEW)
        assert b"password1" not in Client().get(old, follow=True).content
