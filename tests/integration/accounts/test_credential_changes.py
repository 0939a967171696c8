"""Every changed credential is written down, told, and pauses withdrawals; a new e-mail address most of all."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from exchange.accounts import selectors
from exchange.accounts.models import MailWord, Pause, User
from exchange.accounts.services import credentials, customers, mail_words, pauses, staff
from exchange.audit.models import Record
from exchange.outbox.models import Event
from tests import mailing
from tests.factors import give_factor, log_in_staff, step_up
from tests.second_person import approve

PASSWORD = "correct horse battery"
NEW = "entirely another secret"
BACKEND = "django.contrib.auth.backends.ModelBackend"

pytestmark = pytest.mark.django_db


def opened(name):
    return customers.open(email=f"{name}@example.org", password=PASSWORD, email_verified=True, now=timezone.now())


@pytest.fixture
def alice():
    return opened("alice")


def log_in(client, email="alice@example.org", password=PASSWORD):
    client.post(reverse("account_login"), {"login": email, "password": password})
    return "_auth_user_id" in client.session


def confirmed_browser(user_id):
    """A browser whose owner has just shown a second factor."""
    give_factor(user_id)
    client = Client()
    client.force_login(User.objects.get(id=user_id), backend=BACKEND)
    step_up(client, user_id)
    return client


def changes():
    found = Event.objects.filter(topic="accounts.credential_changed").order_by("id")
    return [(event.payload["what"], event.payload["detail"]) for event in found]


def delivered():
    mail.outbox.clear()
    mailing.deliver(now=timezone.now())
    return list(mail.outbox)


class TestWhatPauses:
    def test_a_sign_up_and_a_first_factor_do_not(self, alice):
        give_factor(alice)
        assert selectors.paused_until(alice, timezone.now()) is None
        assert changes() == [("factor", "Authenticator app added")]

    def test_a_password_set_by_its_owner_does(self, alice):
        client = confirmed_browser(alice)
        before = timezone.now()
        data = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
        assert client.post(reverse("account_change_password"), data).status_code == 302
        until = selectors.paused_until(alice, timezone.now())
        assert before + timedelta(hours=24) <= until <= timezone.now() + timedelta(hours=24)
        assert ("password", "Password changed") in changes()
        record = Record.objects.filter(action="credential.change").latest("id")
        assert (record.actor_id, record.after["what"]) == (alice, "password")
        told = next(m for m in delivered() if m.subject == "Your password was changed")
        assert "Withdrawals paused until" in told.body and "/account/not-me/" in told.body

    def test_a_password_set_by_command_does_and_one_by_staff_is_refused(self, alice):
        boss = staff.open(email="boss@example.org", password=PASSWORD, superuser=True, now=timezone.now())
        client = Client()
        log_in_staff(client, boss)
        data = {"password1": NEW, "password2": NEW, "usable_password": "true"}
        assert client.post(reverse("admin:auth_user_password_change", args=[alice]), data).status_code == 403
        user = User.objects.get(id=alice)
        assert user.check_password(PASSWORD) and selectors.paused_until(alice, timezone.now()) is None
        user.set_password(NEW)
        user.save()
        assert selectors.paused_until(alice, timezone.now())

    def test_a_hash_that_is_only_renewed_does_not(self, alice, settings):
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher", *settings.PASSWORD_HASHERS]
        assert log_in(Client())
        assert User.objects.get(id=alice).password.startswith("pbkdf2")
        assert changes() == [] and selectors.paused_until(alice, timezone.now()) is None

    @pytest.mark.parametrize("what", ["password", "factor", "email", "linked_account", "api_key", "recovery_codes"])
    def test_each_kind_is_audited_told_and_paused_for(self, alice, what):
        now = timezone.now()
        credentials.changed(user_id=alice, what=what, detail="by a test", now=now)
        assert selectors.paused_until(alice, now) == now + timedelta(hours=24)
        (message,) = delivered()
        assert message.to == ["alice@example.org"] and "by a test" in message.body
        assert Record.objects.filter(action="credential.change", subject=f"user:{alice}").count() == 1

    def test_a_pause_is_never_shortened_and_ends_by_itself(self, alice, settings):
        now = timezone.now()
        pauses.pause(user_id=alice, reason="first", actor_id=alice, now=now)
        settings.CREDENTIAL_PAUSE_H = 1
        pauses.pause(user_id=alice, reason="second", actor_id=alice, now=now)
        assert selectors.paused_until(alice, now) == now + timedelta(hours=24)
        with pytest.raises(pauses.WithdrawalsPaused, match="paused until"):
            pauses.check(user_id=alice, now=now + timedelta(hours=23, minutes=59))
        pauses.check(user_id=alice, now=now + timedelta(hours=24, seconds=1))

    def test_it_can_be_switched_off(self, alice, settings):
        settings.CREDENTIAL_PAUSE_H = 0
        credentials.changed(user_id=alice, what="password", now=timezone.now())
        assert not Pause.objects.exists() and len(delivered()) == 1

    def test_it_is_shown_on_the_hub_and_the_withdraw_page(self, alice):
        client = Client()
        client.force_login(User.objects.get(id=alice), backend=BACKEND)
        pauses.pause(user_id=alice, reason="test", actor_id=alice, now=timezone.now())
        for page in (reverse("site:security"), reverse("site:withdraw", args=["BTC"])):
            assert "Withdrawals are paused until" in client.get(page).content.decode()


class TestEmailChange:
    def ask(self, client, email="new@example.org"):
        mail.outbox.clear()
        return client.post(reverse("account_email"), {"email": email, "action_add": ""})

    def confirm(self, message, client=None):
        link = re.search(r"https?://[^/\s]+(/accounts/confirm-email/\S+/)", message.body)[1]
        client = client or Client()
        assert client.get(link).status_code == 200  # looking confirms nothing
        assert not EmailAddress.objects.filter(email="new@example.org", verified=True).exists()
        return client.post(link)

    def test_the_new_one_counts_once_it_is_confirmed_there_and_both_are_told(self, alice):
        client, elsewhere = confirmed_browser(alice), Client(REMOTE_ADDR="192.0.2.77")
        from allauth.usersessions.models import UserSession

        elsewhere.force_login(User.objects.get(id=alice), backend=BACKEND)
        UserSession.objects.create(
            user_id=alice, ip="192.0.2.77", session_key=elsewhere.session.session_key, user_agent="x"
        )
        assert self.ask(client).status_code == 302
        (message,) = mail.outbox
        assert message.to == ["new@example.org"]
        assert User.objects.get(id=alice).email == "alice@example.org"
        self.confirm(message)
        assert User.objects.get(id=alice).email == "new@example.org"
        assert list(EmailAddress.objects.filter(user_id=alice).values_list("email", "verified", "primary")) == [
            ("new@example.org", True, True)
        ]
        assert elsewhere.get(reverse("site:wallet")).status_code == 302
        assert selectors.paused_until(alice, timezone.now())
        told = {m.to[0]: m for m in delivered() if m.subject == "Your e-mail address was changed"}
        assert set(told) == {"alice@example.org", "new@example.org"}
        links = {re.search(r"/account/not-me/(\S+)/", m.body)[1] for m in told.values()}
        assert len(links) == 2  # each mailbox has a link of its own
        assert not log_in(Client()) and log_in(Client(), "new@example.org") is False  # a factor is owed

    def test_the_old_owner_s_link_freezes_the_account_though_the_address_is_another(self, alice):
        from exchange.accounts.models import Freeze

        client = confirmed_browser(alice)
        self.ask(client)
        self.confirm(mail.outbox[0])
        old = next(m for m in delivered() if m.to == ["alice@example.org"] and "e-mail address" in m.subject)
        Client().post(re.search(r"https?://[^/\s]+(/account/not-me/\S+/)", old.body)[1])
        assert not User.objects.get(id=alice).is_active
        assert Freeze.objects.get().sent_to == "alice@example.org"
        assert ["alice@example.org"] in [m.to for m in delivered()]

    def test_a_stolen_session_without_the_factor_cannot(self, alice):
        give_factor(alice)
        thief = Client()
        thief.force_login(User.objects.get(id=alice), backend=BACKEND)
        answer = self.ask(thief)
        assert answer.status_code == 302 and "reauthenticate" in answer.url
        assert not EmailAddress.objects.filter(email="new@example.org").exists() and not mail.outbox
        # Nothing was left for the owner to confirm unknowingly.
        step_up(thief, alice)
        thief.get(reverse("account_email"))
        assert not EmailAddress.objects.filter(email="new@example.org").exists()

    def test_an_app_needs_the_factor_too(self, alice):
        give_factor(alice)
        thief = Client()
        thief.force_login(User.objects.get(id=alice), backend=BACKEND)
        answer = thief.post(
            "/_allauth/app/v1/account/email",
            {"email": "new@example.org"},
            content_type="application/json",
            headers={"X-Session-Token": thief.session.session_key},
        )
        assert answer.status_code == 401
        assert not EmailAddress.objects.filter(email="new@example.org").exists()

    def test_it_does_not_tell_who_exists(self, alice):
        opened("carol")
        client = confirmed_browser(alice)
        taken = self.ask(client, "carol@example.org")
        (message,) = mail.outbox
        assert message.to == ["carol@example.org"]
        link = re.search(r"https?://[^/\s]+(/accounts/confirm-email/\S+/)", message.body)[1]
        Client().post(link)  # even Carol's own press gives it to nobody else
        assert User.objects.get(id=alice).email == "alice@example.org"
        assert list(
            EmailAddress.objects.filter(email="carol@example.org", verified=True).values_list("user__email")
        ) == [("carol@example.org",)]
        free = self.ask(client, "new@example.org")
        assert (taken.status_code, taken.url) == (free.status_code, free.url)

    def test_an_address_that_somebody_took_meanwhile_stays_theirs(self, alice):
        client = confirmed_browser(alice)
        self.ask(client)
        message = mail.outbox[0]
        customers.open(email="new@example.org", password=PASSWORD, email_verified=False, now=timezone.now())
        link = re.search(r"https?://[^/\s]+(/accounts/confirm-email/\S+/)", message.body)[1]
        assert Client().post(link).status_code in (200, 302)
        assert User.objects.get(id=alice).email == "alice@example.org"

    def test_two_of_staff_put_an_address_and_the_old_one_is_told(self, alice):
        boss = staff.open(email="boss@example.org", password=PASSWORD, superuser=True, now=timezone.now())
        client = Client()
        log_in_staff(client, boss)
        page = reverse("admin:accounts_user_change_email", args=[alice])
        assert client.post(page, {"email": "new@example.org", "reason": "Seen in person"}).status_code == 302
        assert selectors.person(alice).email == "alice@example.org", "one person alone hands no account over"
        approve()
        assert selectors.person(alice).email == "new@example.org"
        assert selectors.person(alice).email_verified and selectors.paused_until(alice, timezone.now())
        assert {m.to[0] for m in delivered() if "e-mail address" in m.subject} == {
            "alice@example.org",
            "new@example.org",
        }


class TestTheWordInMails:
    def test_it_stands_in_our_mails_and_in_allauth_s(self, alice):
        mail_words.choose(user_id=alice, word="blue otter 7", now=timezone.now())
        credentials.changed(user_id=alice, what="password", now=timezone.now())
        (ours,) = delivered()
        assert "blue otter 7" in ours.body and "blue otter 7" in ours.alternatives[0].content
        Client().post(reverse("account_reset_password"), {"email": "alice@example.org"})
        assert "blue otter 7" in mail.outbox[-1].body

    def test_nobody_else_reads_it(self, alice):
        carol = opened("carol")
        mail_words.choose(user_id=alice, word="blue otter 7", now=timezone.now())
        EmailAddress.objects.create(user_id=alice, email="not-hers@example.org", verified=False)
        credentials.changed(user_id=carol, what="password", now=timezone.now())
        bodies = [m.body for m in delivered()]
        for email in ("carol@example.org", "nobody@example.org", "not-hers@example.org"):
            Client().post(reverse("account_reset_password"), {"email": email})
            bodies += [m.body for m in mail.outbox if m.to == [email]]
        assert len(bodies) >= 3 and not any("blue otter 7" in body for body in bodies)
        assert mail_words.for_address("not-hers@example.org") == "" and mail_words.of(carol) == ""

    def test_it_is_sealed_and_only_for_its_owner(self, alice):
        carol = opened("carol")
        mail_words.choose(user_id=alice, word="blue otter 7", now=timezone.now())
        sealed = bytes(MailWord.objects.get(user_id=alice).sealed)
        assert b"otter" not in sealed
        MailWord.objects.create(user_id=carol, sealed=sealed, chosen_at=timezone.now())
        from exchange.secrets.services import SecretTampered

        with pytest.raises(SecretTampered):
            mail_words.of(carol)

    def test_its_page_opens_only_after_the_factor_was_shown(self, alice, second_factor_required):
        mail_words.choose(user_id=alice, word="blue otter 7", now=timezone.now())
        client = Client()
        client.force_login(User.objects.get(id=alice), backend=BACKEND)
        for page in ("site:mail_word", "site:security"):
            assert "blue otter 7" not in client.get(reverse(page), follow=True).content.decode()
        assert client.post(reverse("site:mail_word"), {"action": "choose", "word": "mine now"}).status_code == 302
        assert mail_words.of(alice) == "blue otter 7"
        shown = confirmed_browser(alice)
        assert "blue otter 7" in shown.get(reverse("site:mail_word")).content.decode()
        shown.post(reverse("site:mail_word"), {"action": "choose", "word": "red fox 9"})
        assert mail_words.of(alice) == "red fox 9"
        shown.post(reverse("site:mail_word"), {"action": "forget"})
        assert mail_words.of(alice) == ""

    @pytest.mark.parametrize("word", ["", "abc", "x" * 33, "two\nlines", "bell\x07bell", "rtl \u202e word"])
    def test_a_word_is_one_readable_line(self, alice, word):
        with pytest.raises(mail_words.WordInvalid):
            mail_words.choose(user_id=alice, word=word, now=timezone.now())
