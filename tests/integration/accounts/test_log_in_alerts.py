"""Log-ins and devices: what is listed, what is told, what ends; and the link by which an owner freezes the account."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core import mail, signing
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from exchange.accounts import protection, registry, selectors
from exchange.accounts.models import Device, Freeze, NotMeLink, User
from exchange.accounts.services import customers, freezing, not_me, pauses, sessions, staff
from exchange.audit.models import Record
from exchange.outbox import services as outbox
from exchange.outbox.models import Event
from tests.factors import log_in_staff

PASSWORD = "correct horse battery"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"

pytestmark = pytest.mark.django_db


def opened(name, **fields):
    return customers.open(
        email=f"{name}@example.org", password=PASSWORD, email_verified=True, now=timezone.now(), **fields
    )


@pytest.fixture
def alice():
    return opened("alice")


def browser(agent=FIREFOX, address="192.0.2.10"):
    return Client(HTTP_USER_AGENT=agent, REMOTE_ADDR=address)


def log_in(client, name="alice", password=PASSWORD):
    client.post(reverse("account_login"), {"login": f"{name}@example.org", "password": password})
    return "_auth_user_id" in client.session


def told(topic="accounts.logged_in_from_new_device"):
    return list(Event.objects.filter(topic=topic).order_by("id").values_list("payload", flat=True))


def delivered():
    mail.outbox.clear()
    outbox.deliver(now=timezone.now())
    return list(mail.outbox)


def link_in(message):
    return re.search(r"https?://[^/\s]+(/account/not-me/\S+/)", message.body)[1]


def new_device_mail():
    """A first log-in, one from another device, and the mail about that."""
    assert log_in(browser()) and log_in(browser(CHROME, "198.51.100.7"))
    (message,) = delivered()
    return message


class TestDevices:
    def test_the_first_log_in_is_no_news_and_leaves_a_cookie_no_script_reads(self, alice):
        client = browser()
        assert log_in(client)
        cookie = client.cookies["device"]
        assert cookie["httponly"] and cookie["samesite"] == "Lax" and int(cookie["max-age"]) > 300 * 86400
        assert told() == []
        (device,) = protection.devices(alice, current=None)
        assert (device.browser, device.address) == ("Firefox on Linux", "192.0.2.10")
        row = Device.objects.get()
        secret = signing.Signer(salt="exchange.accounts.device").unsign(cookie.value)
        assert secret not in str(vars(row)) and len(row.secret_hash) == 64

    def test_a_log_in_from_another_browser_is_told_and_from_a_known_one_it_is_not(self, alice):
        known = browser()
        log_in(known)
        known.post(reverse("account_logout"))
        assert log_in(known) and told() == []
        log_in(browser(CHROME, "198.51.100.7"))
        (payload,) = told()
        assert (payload["user_id"], payload["address"], payload["browser"]) == (
            alice,
            "198.51.100.7",
            "Chrome on Windows",
        )
        (message,) = delivered()
        assert message.to == ["alice@example.org"] and message.subject == "New log-in to your account"
        assert "198.51.100.7" in message.body and "Chrome on Windows" in message.body

    def test_a_device_of_another_customer_is_unknown(self, alice):
        mallory = opened("mallory")
        theirs = browser()
        assert log_in(theirs, "mallory")
        log_in(browser(CHROME))
        theirs.post(reverse("account_logout"))
        assert log_in(theirs)  # the same browser, with Mallory's cookie, as Alice
        assert [payload["user_id"] for payload in told()] == [alice]
        assert Device.objects.filter(user_id=mallory).count() == 1
        assert Device.objects.values("secret_hash").distinct().count() == 3

    @pytest.mark.parametrize("cookie", ["x", "secret:forged", "a" * 5000, "é:\r\nSet-Cookie"])
    def test_a_forged_cookie_is_an_unknown_device(self, alice, cookie):
        log_in(browser())
        forger = browser(CHROME)
        forger.cookies["device"] = cookie
        assert log_in(forger)
        assert len(told()) == 1

    @pytest.mark.parametrize(
        "agent", ["Evil\r\nBcc: x@example.org Firefox/1 Linux", "\x1b[31mred\u202e", "", "x" * 3000]
    )
    def test_a_browser_s_name_breaks_no_mail_and_no_page(self, alice, agent):
        log_in(browser())
        sessions_before = UserSession.objects.count()
        client = Client(REMOTE_ADDR="192.0.2.10")
        client.defaults["HTTP_USER_AGENT"] = agent
        assert log_in(client)
        assert UserSession.objects.count() == sessions_before + 1
        (message,) = delivered()
        assert "Bcc" not in message.message() and "\x1b" not in message.body and "\u202e" not in message.body
        assert not any(line.startswith("Bcc:") for line in message.body.splitlines())
        assert client.get(reverse("site:log_ins")).status_code == 200

    def test_the_list_of_devices_stays_short(self, alice):
        from exchange.accounts.services import devices

        for _ in range(devices._PER_CUSTOMER_MAX + 3):
            devices.seen(user_id=alice, cookie="", whence=devices.Whence("::1", "Bot"), now=timezone.now())
        assert Device.objects.filter(user_id=alice).count() == devices._PER_CUSTOMER_MAX

    def test_a_log_in_as_staff_and_by_an_app_are_seen_too(self, alice):
        log_in(browser())
        answer = browser("BourseApp/1.0").post(
            "/_allauth/app/v1/auth/login",
            {"email": "alice@example.org", "password": PASSWORD},
            content_type="application/json",
        )
        assert answer.status_code == 200 and answer.cookies["device"].value
        assert told()[0]["browser"] == "BourseApp/1.0"


class TestSessions:
    def test_they_are_listed_with_browser_address_and_times_and_no_key(self, alice):
        mine, other = browser(), browser(CHROME, "198.51.100.7")
        log_in(mine)
        log_in(other)
        page = mine.get(reverse("site:log_ins"))
        text = page.content.decode()
        for words in ("Firefox on Linux", "Chrome on Windows", "192.0.2.10", "198.51.100.7", "This one", "last used"):
            assert words in text
        for row in UserSession.objects.all():
            assert row.session_key not in text

    def test_one_can_be_ended_from_afar(self, alice):
        mine, lost = browser(), browser(CHROME)
        log_in(mine)
        log_in(lost)
        row = UserSession.objects.get(session_key=lost.session.session_key)
        assert mine.post(reverse("site:end_log_in", args=[row.id])).status_code == 302
        assert lost.get(reverse("site:wallet")).status_code == 302
        assert mine.get(reverse("site:wallet")).status_code == 200
        assert not Session.objects.filter(session_key=row.session_key).exists()
        assert Record.objects.filter(action="session.end", subject=f"user:{alice}").exists()

    def test_nobody_ends_somebody_elses(self, alice):
        opened("mallory")
        mine, theirs = browser(), browser(CHROME)
        log_in(mine)
        log_in(theirs, "mallory")
        row = UserSession.objects.get(user_id=alice)
        device = Device.objects.get(user_id=alice)
        theirs.post(reverse("site:end_log_in", args=[row.id]))
        theirs.post(reverse("site:forget_device", args=[device.id]))
        assert mine.get(reverse("site:wallet")).status_code == 200
        assert Device.objects.filter(user_id=alice).count() == 1

    @pytest.mark.parametrize("name", ["site:end_other_log_ins", "site:mail_language", "site:request_export"])
    def test_nothing_is_changed_by_get(self, alice, name):
        client = browser()
        log_in(client)
        assert client.get(reverse(name)).status_code == 405

    def test_all_others_end_at_once(self, alice):
        mine, others = browser(), [browser(CHROME), browser(address="198.51.100.9")]
        for client in (mine, *others):
            log_in(client)
        mine.post(reverse("site:end_other_log_ins"))
        assert mine.get(reverse("site:wallet")).status_code == 200
        assert all(client.get(reverse("site:wallet")).status_code == 302 for client in others)
        assert UserSession.objects.filter(user_id=alice).count() == 1

    def test_forgetting_a_device_ends_its_log_ins_and_makes_the_next_one_news(self, alice):
        mine, lost = browser(), browser(CHROME)
        log_in(mine)
        log_in(lost)
        Event.objects.all().delete()
        device = Device.objects.get(user_id=alice, browser="Chrome on Windows")
        mine.post(reverse("site:forget_device", args=[device.id]))
        assert lost.get(reverse("site:wallet")).status_code == 302
        assert mine.get(reverse("site:wallet")).status_code == 200
        assert log_in(lost) and len(told()) == 1

    def test_a_changed_password_ends_the_others_and_lists_this_one_on(self, alice):
        mine, other = browser(), browser(CHROME)
        log_in(mine)
        log_in(other)
        self.confirm(mine)
        new = "entirely another secret"
        answer = mine.post(
            reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": new, "password2": new}
        )
        assert answer.status_code == 302
        assert other.get(reverse("site:wallet")).status_code == 302
        (row,) = protection.log_ins(alice, session_key=mine.session.session_key, now=timezone.now())
        assert row.current and row.device_id == Device.objects.get(browser="Firefox on Linux").id

    @staticmethod
    def confirm(client):
        client.post(reverse("account_reauthenticate"), {"password": PASSWORD})

    def test_its_last_use_is_written_down_but_not_with_each_page(self, alice):
        client = browser()
        log_in(client)
        before = timezone.now() - timedelta(hours=3)
        UserSession.objects.update(last_seen_at=before)
        sessions._noted.clear()
        client.get(reverse("site:security"))
        assert UserSession.objects.get().last_seen_at > before
        UserSession.objects.update(last_seen_at=before)
        client.get(reverse("site:security"))
        assert UserSession.objects.get().last_seen_at == before

    def test_an_app_s_last_use_is_written_down_too(self, alice):
        client = browser()
        log_in(client)
        before = timezone.now() - timedelta(hours=3)
        UserSession.objects.update(last_seen_at=before)
        sessions._noted.clear()
        answer = Client().get("/api/v1/me", headers={"X-Session-Token": client.session.session_key})
        assert answer.status_code == 200 and UserSession.objects.get().last_seen_at > before

    def test_attempts_and_what_came_of_them_are_shown_out_of_the_audit(self, alice):
        client = browser()
        log_in(client, password="not this one")
        log_in(client)
        text = client.get(reverse("site:log_ins")).content.decode()
        assert "Wrong password" in text and "Logged in" in text


class TestNotMe:
    def test_looking_at_the_link_changes_nothing(self, alice):
        link = link_in(new_device_mail())
        for method in ("get", "head"):
            assert getattr(Client(), method)(link).status_code == 200
        assert User.objects.get(id=alice).is_active and not Freeze.objects.exists()

    def test_its_button_ends_everything_and_stays_shut_until_staff_lift_it(self, alice, monkeypatch):
        ended = []
        monkeypatch.setattr(registry, "_ended", [lambda user_id, now: ended.append(user_id)])
        mine, thief = browser(), browser(CHROME)
        log_in(mine)
        log_in(thief)
        (message,) = delivered()
        page = Client().post(link_in(message))
        assert page.status_code == 200 and "frozen" in page.content.decode()
        assert ended == [alice]
        for client in (mine, thief):
            assert client.get(reverse("site:wallet")).status_code == 302
        assert not log_in(browser()) and not log_in(thief)
        with pytest.raises(pauses.WithdrawalsPaused) as refused:
            pauses.check(user_id=alice, now=timezone.now() + timedelta(days=400))
        assert refused.value.until is None
        (frozen_mail,) = delivered()
        assert frozen_mail.subject == "Your account is frozen" and frozen_mail.to == ["alice@example.org"]
        record = Record.objects.get(action="account.freeze")
        assert record.subject == f"user:{alice}" and "example.org" not in str(vars(record))

    def test_it_works_once(self, alice):
        link = link_in(new_device_mail())
        assert Client().post(link).status_code == 200
        again = Client().post(link)
        assert again.status_code == 409 and "used already" in again.content.decode()
        assert Freeze.objects.count() == 1 and Record.objects.filter(action="account.freeze").count() == 1

    def test_it_cannot_be_used_again_after_staff_lifted_the_freeze(self, alice):
        message = new_device_mail()
        log_in(browser("Other/1.0"))
        (second,) = delivered()
        Client().post(link_in(message))
        freezing.lift(user_id=alice, reason="Spoke on the phone.", actor_id=10**6, now=timezone.now())
        for old in (message, second):
            assert Client().post(link_in(old)).status_code == 409
        assert User.objects.get(id=alice).is_active

    @pytest.mark.parametrize("token", ["x", "A" * 43, "%00", "../security"])
    def test_a_forged_one_is_none(self, alice, token):
        new_device_mail()
        path = f"/account/not-me/{token}/"
        assert Client().post(path).status_code == Client().get(path).status_code == 404
        assert User.objects.get(id=alice).is_active

    def test_it_freezes_the_owner_of_the_mail_whoever_is_logged_in(self, alice):
        mallory = opened("mallory")
        link = link_in(new_device_mail())
        thief = browser("Thief/1.0")
        log_in(thief, "mallory")
        thief.post(link)
        assert not User.objects.get(id=alice).is_active and User.objects.get(id=mallory).is_active

    def test_an_old_one_is_over(self, alice):
        message = new_device_mail()
        NotMeLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        assert Client().post(link_in(message)).status_code == 409
        assert User.objects.get(id=alice).is_active
        not_me.forget_old(now=timezone.now() + timedelta(days=40))
        assert Client().post(link_in(message)).status_code == 404

    def test_the_database_holds_no_token(self, alice):
        token = link_in(new_device_mail()).split("/")[-2]
        assert token not in str(list(NotMeLink.objects.values()))

    def test_lifting_needs_somebody_else_and_a_reason_and_the_old_password_stays_void(self, alice):
        boss = staff.open(email="boss@example.org", password=PASSWORD, superuser=True, now=timezone.now())
        Client().post(link_in(new_device_mail()))
        row = Freeze.objects.get()
        client = Client()
        log_in_staff(client, boss)
        page = reverse("admin:accounts_freeze_change", args=[row.id])
        assert client.get(page).status_code == 200
        assert client.post(page, {"lift_reason": " "}).status_code == 200
        assert not User.objects.get(id=alice).is_active
        assert client.post(page, {"lift_reason": "Spoke on the phone."}).status_code == 302
        row.refresh_from_db()
        assert (row.lifted_by, row.lift_reason) == (boss, "Spoke on the phone.") and User.objects.get(
            id=alice
        ).is_active
        record = Record.objects.get(action="account.lift_freeze")
        assert (record.actor_id, record.after["reason"]) == (boss, "Spoke on the phone.")
        assert selectors.paused_until(alice, timezone.now()) is None
        assert not log_in(browser())  # whoever knew the password must not come in again
        assert client.post(page, {"lift_reason": "Again."}).status_code == 403
        assert [m.subject for m in delivered() if m.to == ["alice@example.org"]][-1] == "Your account is open again"

    def test_a_member_of_staff_does_not_lift_his_own(self):
        boss = staff.open(email="boss@example.org", password=PASSWORD, superuser=True, now=timezone.now())
        freezing.freeze(user_id=boss, reason="test", now=timezone.now())
        with pytest.raises(freezing.OwnFreeze):
            freezing.lift(user_id=boss, reason="me again", actor_id=boss, now=timezone.now())

    def test_the_machine_itself_lifts_it_when_nobody_else_is_left(self):
        from django.core.management import CommandError, call_command

        boss = staff.open(email="boss@example.org", password=PASSWORD, superuser=True, now=timezone.now())
        freezing.freeze(user_id=boss, reason="test", now=timezone.now())
        with pytest.raises(CommandError, match="reason_missing"):
            call_command("accounts", "lift", user=boss, reason=" ")
        call_command("accounts", "lift", user=boss, reason="The only superuser pressed it.")
        assert User.objects.get(id=boss).is_active
        assert Record.objects.get(action="account.lift_freeze").actor_id is None

    def test_staff_cannot_open_a_frozen_account_past_the_freeze(self, alice):
        boss = staff.open(email="boss@example.org", password=PASSWORD, superuser=True, now=timezone.now())
        freezing.freeze(user_id=alice, reason="test", now=timezone.now())
        client = Client()
        log_in_staff(client, boss)
        data = {"email": "alice@example.org", "display_name": "", "language": "en", "is_active": "on"}
        client.post(reverse("admin:accounts_user_change", args=[alice]), data)
        assert not User.objects.get(id=alice).is_active

    def test_a_log_in_that_staff_had_switched_off_stays_off_after_lifting(self, alice):
        User.objects.filter(id=alice).update(is_active=False)
        freezing.freeze(user_id=alice, reason="test", now=timezone.now())
        freezing.lift(user_id=alice, reason="known", actor_id=10**6, now=timezone.now())
        assert not User.objects.get(id=alice).is_active

    def test_after_lifting_a_new_password_by_mail_opens_it_and_pauses_withdrawals(self, alice):
        freezing.freeze(user_id=alice, reason="test", now=timezone.now())
        freezing.lift(user_id=alice, reason="known", actor_id=10**6, now=timezone.now())
        mail.outbox.clear()
        client = browser()
        client.post(reverse("account_reset_password"), {"email": "alice@example.org"})
        link = re.search(r"https?://[^/\s]+(/accounts/password/reset/key/\S+/)", mail.outbox[0].body)[1]
        form = client.get(link, follow=True)
        new = "entirely another secret"
        client.post(form.redirect_chain[-1][0], {"password1": new, "password2": new})
        assert log_in(browser(), password=new)
        assert selectors.paused_until(alice, timezone.now()) is not None

    @pytest.mark.parametrize("name", ["alice", "nobody"])
    def test_a_shut_account_is_told_apart_from_none_by_nobody(self, alice, name):
        freezing.freeze(user_id=alice, reason="test", now=timezone.now())
        page = browser().post(reverse("account_login"), {"login": f"{name}@example.org", "password": PASSWORD})
        assert page.status_code == 200 and "frozen" not in page.content.decode()
        assert "are not correct" in page.content.decode()


def test_the_warning_is_in_the_language_of_the_customer(alice):
    customers.set_language(user_id=alice, language="de")
    message = new_device_mail()
    assert message.subject == "Neue Anmeldung bei Ihrem Konto"
    assert "Konto einfrieren" in message.body and "Wann:" in message.body
    assert '<html lang="de">' in message.alternatives[0].content


def test_every_language_has_every_word():
    from django.conf import settings

    from exchange.notifications import words

    assert set(words.BY_LANGUAGE) == set(settings.MAIL_LANGUAGES)
    for known in words.BY_LANGUAGE.values():
        assert set(known) == set(words._EN)


def test_a_withdrawals_mail_carries_the_link_too(alice):
    from django.db import transaction

    payload = {
        "user_id": alice, "asset": "BTC", "network": "bitcoin", "amount": "0.5", "fee": "0.0001", "address": "bc1q",
        "withdrawal_id": "01900000-0000-7000-8000-000000000001",
    }  # fmt: skip
    with transaction.atomic():
        outbox.append(topic="wallets.withdrawal_sent", key="k", payload=payload, now=timezone.now())
    (message,) = delivered()
    assert Client().post(link_in(message)).status_code == 200
    assert not User.objects.get(id=alice).is_active
