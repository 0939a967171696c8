"""Sign-up, log-in and reset, by form and by app: neither the answer nor the work behind it tells who exists."""

import json
import re
from threading import Barrier, Thread

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth import hashers
from django.core import mail
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from exchange.accounts.models import User
from exchange.accounts.services import customers
from exchange.outbox.models import Event
from tests.providers import ways

PASSWORD = "correct horse battery staple"
APP = "/_allauth/app/v1"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return customers.open(email="alice@example.org", password=PASSWORD, email_verified=True, now=timezone.now())


def by_form(client, email, password=PASSWORD):
    return client.post(reverse("account_signup"), {"email": email, "password1": password})


def by_app(client, email, password=PASSWORD):
    return client.post(
        f"{APP}/auth/signup", json.dumps({"email": email, "password": password}), content_type="application/json"
    )


def log_in(client, email="alice@example.org", password=PASSWORD, **extra):
    return client.post(reverse("account_login"), {"login": email, "password": password}, **extra)


def app_log_in(client, email="alice@example.org", password=PASSWORD, **extra):
    body = json.dumps({"email": email, "password": password})
    return client.post(f"{APP}/auth/login", body, content_type="application/json", **extra)


def inside(client):
    return "_auth_user_id" in client.session


class TestTheSameAnswer:
    def test_an_app_s_sign_up_answers_the_same_and_a_mail_says_the_rest(self, alice):
        answers = [by_app(Client(), email) for email in ("alice@example.org", "carol@example.org")]
        bodies = [answer.json() for answer in answers]
        for body in bodies:
            assert body["meta"].pop("session_token")
        assert [answer.status_code for answer in answers] == [401, 401] and bodies[0] == bodies[1]
        assert {(m.to[0], m.subject) for m in mail.outbox} == {
            ("alice@example.org", "You already have an account"),
            ("carol@example.org", "Confirm your e-mail address"),
        }

    def test_an_app_s_later_steps_answer_the_same(self, alice):
        seen = []
        for email in ("alice@example.org", "carol@example.org"):
            client = Client()
            token = by_app(client, email).json()["meta"]["session_token"]
            with_token = {"headers": {"x-session-token": token}}
            steps = [
                client.get(f"{APP}/auth/session", **with_token),
                client.post(
                    f"{APP}/auth/email/verify", '{"key": "wrong"}', content_type="application/json", **with_token
                ),
                client.post(f"{APP}/auth/email/verify/resend", **with_token),
                app_log_in(client, email, "not the password"),
            ]
            seen.append([(step.status_code, step.content.replace(token.encode(), b"")) for step in steps])
        assert seen[0] == seen[1]

    def test_a_second_try_answers_the_same_too(self, alice):
        """The mails to one address are limited; the limit must not tell either."""
        seen = []
        for email in ("alice@example.org", "carol@example.org"):
            answers = [by_form(Client(), email) for _ in range(3)]
            seen.append([(answer.status_code, answer.url) for answer in answers])
        assert seen[0] == seen[1]

    def test_a_weak_password_is_refused_whoever_exists(self, alice):
        answers = [by_app(Client(), email, "short") for email in ("alice@example.org", "carol@example.org")]
        assert [answer.status_code for answer in answers] == [400, 400]
        assert answers[0].json() == answers[1].json() and not mail.outbox

    def test_an_app_s_reset_and_log_in_answer_the_same(self, alice):
        for path, body in (
            ("auth/password/request", {}),
            ("auth/login", {"password": "not the password"}),
        ):
            answers = [
                Client().post(f"{APP}/{path}", json.dumps({"email": email, **body}), content_type="application/json")
                for email in ("alice@example.org", "nobody@example.org")
            ]
            assert answers[0].status_code == answers[1].status_code
            assert answers[0].json() == answers[1].json()

    def test_adding_a_known_address_to_an_account_looks_the_same(self, alice):
        seen = []
        for name, wanted in (("bob", "alice@example.org"), ("carol", "new@example.org")):
            user_id = customers.open(
                email=f"{name}@example.org", password=PASSWORD, email_verified=True, now=timezone.now()
            )
            client = ways.as_customer(user_id, confirmed=PASSWORD)
            answer = client.post(reverse("account_email"), {"email": wanted, "action_add": ""})
            page = client.get(reverse("account_email")).content.decode()
            shown = re.sub(r'(csrfmiddlewaretoken" value=|hx-headers=)\S+', "", page)
            for word in (wanted, f"{name}@example.org"):
                shown = shown.replace(word, "")
            seen.append([answer.status_code, getattr(answer, "url", ""), *re.sub(r"id_\S+|\d", "", shown).splitlines()])
        assert seen[0] == seen[1]


class TestTheSameWork:
    """Time is not measured here, for machines differ; the work that takes it is counted."""

    @pytest.fixture
    def hashed(self, monkeypatch):
        count = []
        honest = hashers.MD5PasswordHasher.encode
        monkeypatch.setattr(
            hashers.MD5PasswordHasher, "encode", lambda *args, **named: (count.append(1), honest(*args, **named))[1]
        )
        return count

    def cost(self, hashed, work):
        hashed.clear()
        sent = len(mail.outbox)
        with CaptureQueriesContext(connection) as queries:
            work()
        written = sorted(
            re.match(r'(INSERT INTO|UPDATE) "?(\w+)', query["sql"])[2]
            for query in queries
            if query["sql"].startswith(("INSERT", "UPDATE"))
        )
        return len(hashed), len(mail.outbox) - sent, [table for table in written if "session" not in table]

    @pytest.mark.parametrize("sign_up", [by_form, by_app])
    def test_signing_up(self, alice, hashed, sign_up):
        unknown = self.cost(hashed, lambda: sign_up(Client(), "carol@example.org"))
        known = self.cost(hashed, lambda: sign_up(Client(), "alice@example.org"))
        assert known == unknown
        assert known[:2] == (1, 1) and "accounts_user" in known[2] and "outbox_event" in known[2]
        assert User.objects.count() == 2  # what was done for show is gone

    @pytest.mark.parametrize("attempt", [log_in, app_log_in])
    def test_logging_in_with_a_wrong_password(self, alice, hashed, attempt):
        social = User.objects.create_user("social@example.org")  # has no password at all
        EmailAddress.objects.create(user=social, email=social.email, primary=True, verified=True)
        closed = User.objects.create_user("closed@example.org", PASSWORD, is_active=False)
        EmailAddress.objects.create(user=closed, email=closed.email, primary=True, verified=True)
        costs = [
            self.cost(hashed, lambda email=email: attempt(Client(), email, "not the password"))
            for email in ("alice@example.org", "nobody@example.org", "social@example.org", "closed@example.org")
        ]
        assert costs[0][0] >= 1
        assert [(hashes, mails) for hashes, mails, _ in costs] == [costs[0][:2]] * 4

    def test_asking_for_a_reset(self, alice, hashed):
        ask = lambda email: Client().post(reverse("account_reset_password"), {"email": email})  # noqa: E731
        assert self.cost(hashed, lambda: ask("alice@example.org"))[:2] == (0, 1)
        assert self.cost(hashed, lambda: ask("nobody@example.org"))[:2] == (0, 1)


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """Every form finds the address free, and then they are saved."""

    @pytest.fixture
    def together(self, monkeypatch):
        """Holds the requests where their forms were judged and nobody is saved yet."""

        def run(count, request):
            gate = Barrier(count)
            honest = User.set_password
            held = []

            def set_password(user, password):
                if len(held) < count:
                    held.append(user.email)
                    gate.wait(60)
                return honest(user, password)

            monkeypatch.setattr(User, "set_password", set_password)
            answers = []

            def one(number):
                try:
                    answers.append(request(number))
                finally:
                    connections.close_all()

            threads = [Thread(target=one, args=(number,)) for number in range(count)]
            [thread.start() for thread in threads]
            [thread.join(120) for thread in threads]
            monkeypatch.undo()
            return answers

        return run

    @pytest.mark.parametrize("sign_up", [by_form, by_app])
    def test_two_sign_ups_with_one_address_make_one_customer_and_answer_the_same(self, together, sign_up):
        answers = together(2, lambda number: sign_up(Client(), "bob@example.org"))
        assert len(answers) == 2 and len({answer.status_code for answer in answers}) == 1
        if sign_up is by_form:
            assert {answer.url for answer in answers} == {reverse("account_email_verification_sent")}
        else:
            bodies = [answer.json() for answer in answers]
            assert all(body["meta"].pop("session_token") for body in bodies) and bodies[0] == bodies[1]
        assert User.objects.count() == EmailAddress.objects.count() == 1
        assert Event.objects.filter(topic="accounts.customer_opened").count() == 1
        assert {m.to[0] for m in mail.outbox} == {"bob@example.org"}

    def test_two_returns_of_one_person_from_a_provider_make_one_customer(self, settings, monkeypatch):
        from exchange.accounts.providers.adapter import SocialAccountAdapter

        facebook = ways.KINDS["facebook"](person=dict(ways.PEOPLE["facebook"]))
        ways.switch_on(facebook, settings, monkeypatch)
        gate, honest, answers = Barrier(2), SocialAccountAdapter.save_user, []

        def save_user(self, *args, **named):
            gate.wait(60)
            return honest(self, *args, **named)

        monkeypatch.setattr(SocialAccountAdapter, "save_user", save_user)

        def one():
            try:
                answers.append(ways.log_in(Client(), facebook))
            finally:
                connections.close_all()

        threads = [Thread(target=one) for _ in range(2)]
        [thread.start() for thread in threads]
        [thread.join(120) for thread in threads]
        assert [answer.status_code for answer in answers] == [302, 302]
        assert User.objects.count() == SocialAccount.objects.count() == 1
        facebook.close()
