"""TOTP and recovery codes as a person meets them on the pages, and as a thief does. No script runs here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time

import pytest
from allauth.account.internal.flows import reauthentication
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.usersessions.models import UserSession
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from exchange.accounts.models import User
from exchange.accounts.second_factors import sealing, selectors
from exchange.accounts.selectors import paused_until
from exchange.audit.models import Record
from tests.factors import give_factor
from tests.integration.accounts.factor_people import (
    ACTIVATE,
    COMMITS,
    CONFIRM,
    INDEX,
    PASSWORD,
    SECOND_STEP,
    app_shows,
    by_password,
    log_in,
    logged_in,
    open_customer,
    set_up,
    through,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> int:
    return open_customer("alice")


@COMMITS
class TestSetUp:
    def test_a_person_sets_up_an_app_and_is_shown_recovery_codes_at_once(self, alice):
        client = Client()
        log_in(client)
        page = client.get(ACTIVATE)
        assert page.status_code == 302 and page.url.startswith(reverse("account_reauthenticate"))
        secret = set_up(client)
        assert selectors.has_factor(alice)
        shown = client.get(reverse("mfa_view_recovery_codes")).content.decode()
        assert len(re.findall(r"<code>\d{8}</code>", shown)) == 10
        assert secret not in client.get(INDEX).content.decode()

    def test_the_code_is_drawn_on_the_server_and_the_key_stands_beside_it(self, alice):
        client = Client()
        log_in(client)
        by_password(client)
        page = client.get(ACTIVATE)
        text = page.content.decode()
        assert '<svg class="qr"' in text or ("<svg" in text and "qr-line" in text)
        assert "style=" not in text[text.index("<svg") : text.index("</main>")]
        assert "no-store" in page["Cache-Control"]

    def test_a_wrong_code_sets_nothing_up(self, alice):
        client = Client()
        log_in(client)
        by_password(client)
        client.get(ACTIVATE)
        assert client.post(ACTIVATE, {"code": "000000"}).status_code == 200
        assert not selectors.has_factor(alice)

    def test_a_secret_shown_before_is_no_longer_taken(self, alice):
        """Whoever saw, or planted, an earlier one cannot have it enrolled: each showing makes a new one."""
        client = Client()
        log_in(client)
        by_password(client)
        find = r'id="totp-secret"[^>]*>([A-Z2-7]+)<'
        first = re.search(find, client.get(ACTIVATE).content.decode())[1]
        second = re.search(find, client.get(ACTIVATE).content.decode())[1]
        assert first != second
        client.post(ACTIVATE, {"code": app_shows(first), "secret": first})
        assert not selectors.has_factor(alice)

    def test_a_secret_of_another_session_is_not_taken(self, alice):
        thief, owner = Client(), Client()
        for client in (thief, owner):
            log_in(client)
            by_password(client)
        planted = re.search(r'id="totp-secret"[^>]*>([A-Z2-7]+)<', thief.get(ACTIVATE).content.decode())[1]
        owner.get(ACTIVATE)
        owner.post(ACTIVATE, {"code": app_shows(planted)})
        assert not selectors.has_factor(alice)

    def test_an_open_session_alone_enrols_nothing(self, alice):
        client = Client()
        log_in(client)
        client.session["mfa.totp.secret"] = "A" * 32
        assert client.post(ACTIVATE, {"code": "123456"}).status_code == 302
        assert client.get(reverse("mfa_add_webauthn")).status_code == 302
        assert not selectors.has_factor(alice)

    def test_who_logs_in_by_a_provider_alone_has_to_have_done_so_just_now(self, alice):
        User.objects.filter(pk=alice).update(password="!none")
        client = Client()
        client.force_login(User.objects.get(pk=alice), backend="django.contrib.auth.backends.ModelBackend")
        assert client.get(ACTIVATE).status_code == 403
        session = client.session
        session["account_authentication_methods"] = [{"method": "socialaccount", "at": time.time()}]
        session["account_authentication_methods_user"] = str(alice)
        session.save()
        assert client.get(ACTIVATE).status_code == 200

    def test_sessions_from_before_the_first_factor_end(self, alice):
        """The other one may be a thief's, who knows the password."""
        before, owner = Client(), Client()
        log_in(before)
        log_in(owner)
        set_up(owner)
        assert before.get(INDEX).status_code == 302
        assert owner.get(INDEX).status_code == 200
        assert UserSession.objects.filter(user_id=alice).count() == 1

    def test_the_first_factor_pauses_nothing_and_a_further_change_does(self, alice):
        client = Client()
        log_in(client)
        set_up(client)
        assert paused_until(alice, now=timezone.now()) is None
        client.post(reverse("mfa_generate_recovery_codes"))
        assert paused_until(alice, now=timezone.now()) is not None

    def test_removing_the_last_one_is_told_and_pauses(self, alice):
        client = Client()
        log_in(client)
        set_up(client)
        assert client.post(reverse("mfa_deactivate_totp")).status_code == 302
        assert not Authenticator.objects.exists()
        assert paused_until(alice, now=timezone.now()) is not None
        told = Record.objects.filter(action="credential.change").order_by("id").values_list("after", flat=True)
        assert [change["detail"] for change in told] == ["Authenticator app added", "Authenticator app removed"]

    def test_staff_do_not_remove_their_last_one(self, alice):
        User.objects.filter(pk=alice).update(is_staff=True)
        client = Client()
        log_in(client)
        set_up(client)
        page = client.post(reverse("mfa_deactivate_totp"))
        assert "Staff need a second factor" in page.content.decode()
        assert selectors.has_factor(alice)


class TestLogIn:
    def test_the_password_alone_gets_nothing(self, alice):
        give_factor(alice)
        client = Client()
        assert log_in(client).url == SECOND_STEP
        assert not logged_in(client)
        for path in (INDEX, reverse("site:wallet"), ACTIVATE, reverse("mfa_view_recovery_codes"), "/api/v1/me"):
            assert client.get(path).status_code in (302, 401), path
        key = client.cookies["sessionid"].value
        assert Client().get("/api/v1/me", headers={"X-Session-Token": key}).status_code == 401

    def test_the_code_lets_in_and_the_next_half_minute_s_too(self, alice):
        secret = give_factor(alice)
        for steps in (-1, 0, 1):
            client = Client()
            through(client, app_shows(secret, steps=steps))
            assert logged_in(client), steps

    @pytest.mark.parametrize("steps", [-3, 3])
    def test_an_old_or_a_future_code_does_not(self, alice, steps):
        secret = give_factor(alice)
        client = Client()
        through(client, app_shows(secret, steps=steps))
        assert not logged_in(client)

    def test_a_code_lets_in_once(self, alice):
        code = app_shows(give_factor(alice))
        first, second = Client(), Client()
        through(first, code)
        through(second, f"{code[:3]} {code[3:]}")
        assert logged_in(first) and not logged_in(second)

    def test_a_code_that_set_the_app_up_lets_nobody_in(self, alice):
        owner, thief = Client(), Client()
        log_in(owner)
        by_password(owner)
        secret = re.search(r'id="totp-secret"[^>]*>([A-Z2-7]+)<', owner.get(ACTIVATE).content.decode())[1]
        code = app_shows(secret)
        owner.post(ACTIVATE, {"code": code})
        through(thief, code)
        assert not logged_in(thief)

    @COMMITS
    def test_another_process_does_not_take_a_code_again(self, alice):
        secret = give_factor(alice)
        code = app_shows(secret)
        program = (
            "import django; django.setup(); from exchange.accounts.second_factors import codes;"
            f"print(codes.check(user_id={alice}, code='{code}'), codes.check(user_id={alice}, code='{code}'))"
        )
        variables = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.dev"}
        said = subprocess.run(
            [sys.executable, "-c", program], env=variables, capture_output=True, text=True, timeout=300, check=True
        )
        assert said.stdout.split() == ["True", "False"], said.stderr
        client = Client()
        through(client, code)
        assert not logged_in(client)

    def test_a_recovery_code_lets_in_once(self, alice):
        give_factor(alice)
        code = Authenticator.objects.get(type=selectors.RECOVERY_CODES).wrap().get_unused_codes()[3]
        first, second = Client(), Client()
        through(first, code)
        through(second, code)
        assert logged_in(first) and not logged_in(second)

    def test_a_new_password_by_e_mail_keeps_the_second_factor(self, alice):
        give_factor(alice)
        user = User.objects.get(pk=alice)
        user.set_password("entirely another secret")
        user.save()
        client = Client()
        assert log_in(client, password="entirely another secret").url == SECOND_STEP
        assert not logged_in(client)


class TestConfirming:
    """Who has a factor confirms with it, never with the password; and only for what is asked after that."""

    @pytest.fixture
    def client(self, alice):
        self.secret = give_factor(alice)
        browser = Client()
        through(browser, app_shows(self.secret, steps=-1))
        return browser

    @pytest.mark.parametrize(
        "page",
        [
            "mfa_deactivate_totp", "mfa_view_recovery_codes", "mfa_download_recovery_codes", "mfa_generate_recovery_codes",
            "mfa_add_webauthn",
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("method", ["get", "post"])
    def test_the_log_in_is_no_confirmation(self, client, page, method):
        answer = getattr(client, method)(reverse(page))
        assert answer.status_code == 302 and answer.url.startswith(CONFIRM)

    def test_the_password_is_no_confirmation(self, client):
        """Not on its page, and not where it was given before there was a factor."""
        assert client.post(reverse("account_reauthenticate"), {"password": PASSWORD}).url.startswith(CONFIRM)
        session = client.session
        session["account_authentication_methods"] += [
            {"method": "password", "at": time.time(), "reauthenticated": True}
        ]
        session.save()
        assert client.get(reverse("mfa_view_recovery_codes")).url.startswith(CONFIRM)

    def test_a_code_opens_for_five_minutes(self, client, settings):
        client.post(CONFIRM, {"code": app_shows(self.secret)})
        assert client.get(reverse("mfa_add_webauthn")).status_code == 200
        session = client.session
        for record in session["account_authentication_methods"]:
            record["at"] -= settings.STEP_UP_SECONDS + 1
        session.save()
        assert client.get(reverse("mfa_add_webauthn")).url.startswith(CONFIRM)

    def test_a_confirmation_with_a_factor_that_is_gone_counts_no_more(self, client, alice):
        client.post(CONFIRM, {"code": app_shows(self.secret)})
        Authenticator.objects.filter(user_id=alice).delete()
        with sealing.for_user(alice):
            TOTP.activate(User.objects.get(pk=alice), generate_totp_secret())
        fresh = Client()
        fresh.force_login(User.objects.get(pk=alice), backend="django.contrib.auth.backends.ModelBackend")
        moved = fresh.session
        moved["account_authentication_methods"] = [
            {"method": "mfa", "type": "totp", "id": 10**9, "at": time.time(), "reauthenticated": True}
        ]
        moved["account_authentication_methods_user"] = str(alice)
        moved.save()
        assert fresh.get(reverse("mfa_view_recovery_codes")).status_code == 302

    def test_what_a_thief_left_in_the_session_is_not_carried_out(self, client, alice):
        """The thief has the session, not the factor. He asks for the app's removal; its owner then confirms something."""
        page = reverse("mfa_deactivate_totp")
        client.post(page)
        session = client.session
        kept = {"path": page, "path_info": page, "method": "POST", "META": {}, "GET": "", "POST": "", "scheme": "http"}
        session[reauthentication.STATE_SESSION_KEY] = {"request": json.dumps(kept)}  # as allauth keeps one
        session.save()
        answer = client.post(f"{CONFIRM}?next={page}", {"code": app_shows(self.secret), "next": page})
        assert answer.status_code == 302
        assert selectors.has_factor(alice)

    def test_nobody_is_led_to_another_site(self, client):
        answer = client.post(f"{CONFIRM}?next=https://evil.example/", {"code": app_shows(self.secret)})
        assert "evil" not in answer.url
