"""Log-ins and devices: what is listed, what is told, and what ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core import signing
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from exchange.accounts import protection, registry, selectors
from exchange.accounts.api import authentication
from exchange.accounts.models import Device
from exchange.accounts.services import customers, sessions, staff
from exchange.audit.models import Record
from exchange.outbox.models import Event
from tests.factors import log_in_staff
from tests.log_ins import CHROME, PASSWORD, browser, delivered, log_in, new_device_mail, opened, told

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return opened("alice")


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

    @pytest.mark.parametrize("name", ["site:end_other_log_ins", "site:request_export"])
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

    def test_staff_end_somebody_s_log_ins_and_keys(self, alice, monkeypatch):
        ended = []
        monkeypatch.setattr(registry, "_ended", [lambda user_id, now: ended.append(user_id)])
        mine = browser()
        log_in(mine)
        boss = staff.open(email="boss@example.org", password=PASSWORD, superuser=True, now=timezone.now())
        client = Client()
        log_in_staff(client, boss)
        data = {"action": "end_access", "_selected_action": [alice]}
        assert client.post(reverse("admin:accounts_user_changelist"), data).status_code == 302
        assert mine.get(reverse("site:wallet")).status_code == 302 and ended == [alice]
        assert Record.objects.get(action="session.end_all").actor_id == boss
        assert log_in(mine)  # the account itself stays open

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
        assert authentication.by_token(client.session.session_key).user_id == alice
        assert UserSession.objects.get().last_seen_at > before

    def test_attempts_and_what_came_of_them_are_shown_out_of_the_audit(self, alice):
        client = browser()
        log_in(client, password="not this one")
        log_in(client)
        text = client.get(reverse("site:log_ins")).content.decode()
        assert "Wrong password" in text and "Logged in" in text


def test_the_warning_is_in_the_language_of_the_customer(alice):
    customers.set_language(user_id=alice, language="de")
    message = new_device_mail()
    assert message.subject == "Neue Anmeldung bei Ihrem Konto"
    assert "Konto einfrieren" in message.body and "Wann:" in message.body
    assert '<html lang="de" dir="ltr">' in message.alternatives[0].content


@pytest.mark.parametrize(
    ("asked", "kept"), [("de-CH,de;q=0.9", "de"), ("en-GB", "en"), ("fr,it;q=0.5", "en"), ("", "en")]
)
def test_a_sign_up_is_warned_in_its_browser_s_language(asked, kept):
    client = Client(HTTP_ACCEPT_LANGUAGE=asked)
    client.post(reverse("account_signup"), {"email": "bob@example.org", "password1": PASSWORD})
    assert selectors.by_email("bob@example.org").language == kept
