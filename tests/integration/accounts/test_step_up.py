"""The step-up before coins leave: on the page, in the API by cookie and by token, and through allauth's JSON for apps."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from exchange.accounts.models import User
from exchange.accounts.second_factors import selectors
from exchange.accounts.services import customers
from tests.factors import BACKEND, App, give_factor, step_up

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("second_factor_required")]
COMMITS = pytest.mark.django_db(transaction=True)  # the API reads on a connection of its own
PASSWORD = "correct horse battery staple"
APP = "/_allauth/app/v1"
WITHDRAW = "/wallet/withdraw/BTC/"
BODY = {"asset": "BTC", "network": "bitcoin", "address": "nowhere", "amount": "0.1"}


@pytest.fixture
def alice() -> int:
    return customers.open(email="alice@example.org", password=PASSWORD, email_verified=True, now=timezone.now())


def page_of(user_id: int) -> Client:
    client = Client()
    client.force_login(User.objects.get(pk=user_id), backend=BACKEND)
    return client


class Phone:
    """A mobile app: JSON and a session token, no cookie."""

    def __init__(self) -> None:
        self.client, self.token = Client(), ""

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"X-Session-Token": self.token} if self.token else {}
        answer = getattr(self.client, method)(path, body, content_type="application/json", headers=headers)
        if answer["Content-Type"].startswith("application/json"):
            self.token = answer.json().get("meta", {}).get("session_token", self.token)
        return answer

    def log_in(self) -> Any:
        return self.send("post", f"{APP}/auth/login", {"email": "alice@example.org", "password": PASSWORD})

    def withdraw(self, key: str = "one") -> Any:
        headers = {"X-Session-Token": self.token, "Idempotency-Key": key}
        return self.client.post("/api/v1/withdrawals", BODY, content_type="application/json", headers=headers)


def code_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


class TestPage:
    def test_without_a_factor_the_page_leads_to_the_set_up_and_knows_the_way_back(self, alice):
        client = page_of(alice)
        led = client.get(WITHDRAW, follow=True)
        assert led.redirect_chain[-1][0].startswith(f"{reverse('mfa_index')}?next=")
        assert "needs a second factor" in led.content.decode()
        assert client.session["wanted_before_a_factor"] == WITHDRAW

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_with_one_it_leads_to_the_confirmation(self, alice, method):
        give_factor(alice)
        answer = getattr(page_of(alice), method)(WITHDRAW)
        assert answer.status_code == 302 and answer.url.startswith(reverse("mfa_reauthenticate"))

    def test_the_log_in_itself_is_none(self, alice):
        give_factor(alice)
        client = page_of(alice)
        step_up(client, alice, again=False)
        assert client.get(WITHDRAW).status_code == 302

    @pytest.mark.parametrize(("ago_s", "lets_in"), [(0, True), (290, True), (320, False), (-60, False)])
    def test_it_holds_for_five_minutes(self, alice, ago_s, lets_in):
        give_factor(alice)
        client = page_of(alice)
        step_up(client, alice, ago_s=ago_s)
        led = client.get(WITHDRAW)
        assert (led.status_code == 302 and led.url.startswith(reverse("mfa_reauthenticate"))) is not lets_in

    def test_a_part_of_a_page_is_led_away_as_a_whole(self, alice):
        give_factor(alice)
        answer = page_of(alice).get(WITHDRAW, headers={"HX-Request": "true"})
        assert (answer.status_code, answer["HX-Redirect"][:34]) == (204, "/accounts/2fa/reauthenticate/?next")


class TestApi:
    @COMMITS
    def test_without_a_factor_nothing_leaves(self, alice):
        phone = Phone()
        phone.log_in()
        assert code_of(phone.withdraw()) == (403, "second_factor_missing")

    @COMMITS
    def test_an_app_logs_in_confirms_and_sends_the_same_request_again(self, alice):
        app = App(give_factor(alice))
        phone = Phone()
        owed = phone.log_in()
        assert owed.status_code == 401
        assert phone.send("get", "/api/v1/me").status_code == 401  # the second factor is still owed
        assert phone.send("post", f"{APP}/auth/2fa/authenticate", {"code": app.code()}).status_code == 200
        assert phone.send("get", "/api/v1/me").status_code == 200
        assert code_of(phone.withdraw()) == (403, "step_up_required")
        assert phone.send("post", f"{APP}/auth/reauthenticate", {"password": PASSWORD}).status_code == 400
        assert code_of(phone.withdraw()) == (403, "step_up_required")
        assert phone.send("post", f"{APP}/auth/2fa/reauthenticate", {"code": app.code()}).status_code == 200
        status, code = code_of(phone.withdraw())  # the same key: what was refused at the door is not kept
        assert status != 403 and code not in ("step_up_required", "second_factor_missing")

    def test_a_code_is_taken_once_by_json_too(self, alice):
        app = App(give_factor(alice))
        code = app.code()
        first, second = Phone(), Phone()
        for phone in (first, second):
            phone.log_in()
        assert first.send("post", f"{APP}/auth/2fa/authenticate", {"code": code}).status_code == 200
        assert second.send("post", f"{APP}/auth/2fa/authenticate", {"code": code}).status_code == 400
        assert first.send("post", f"{APP}/auth/2fa/reauthenticate", {"code": code}).status_code == 400

    def test_guessing_by_json_is_limited_too(self, alice):
        app = App(give_factor(alice))
        phone = Phone()
        phone.log_in()
        for _ in range(10):
            assert phone.send("post", f"{APP}/auth/2fa/authenticate", {"code": "000000"}).status_code == 400
        refused = phone.send("post", f"{APP}/auth/2fa/authenticate", {"code": app.code()})
        assert refused.status_code == 400 and "Too many" in str(refused.json())

    def test_changing_factors_by_json_asks_for_one_again(self, alice):
        app = App(give_factor(alice))
        phone = Phone()
        phone.log_in()
        phone.send("post", f"{APP}/auth/2fa/authenticate", {"code": app.code()})
        where = f"{APP}/account/authenticators"
        for method, path in (
            ("delete", f"{where}/totp"), ("get", f"{where}/recovery-codes"), ("post", f"{where}/recovery-codes"),
            ("get", f"{where}/webauthn"), ("delete", f"{where}/webauthn"),
        ):  # fmt: skip
            assert phone.send(method, path, None if method == "get" else {}).status_code == 401, (method, path)
        phone.send("post", f"{APP}/auth/2fa/reauthenticate", {"code": app.code()})
        assert phone.send("get", f"{where}/recovery-codes").status_code == 200
        assert phone.send("delete", f"{where}/totp", {}).status_code == 200
        assert not selectors.has_factor(alice)

    def test_staff_keep_their_last_factor_by_json_too(self, alice):
        User.objects.filter(pk=alice).update(is_staff=True)
        app = App(give_factor(alice))
        phone = Phone()
        phone.log_in()
        phone.send("post", f"{APP}/auth/2fa/authenticate", {"code": app.code()})
        phone.send("post", f"{APP}/auth/2fa/reauthenticate", {"code": app.code()})
        assert phone.send("delete", f"{APP}/account/authenticators/totp", {}).status_code == 409
        assert selectors.has_factor(alice)

    def test_an_app_sets_one_up_after_its_password(self, alice):
        phone = Phone()
        phone.log_in()
        where = f"{APP}/account/authenticators/totp"
        assert phone.send("get", where).status_code == 401
        assert phone.send("post", f"{APP}/auth/reauthenticate", {"password": PASSWORD}).status_code == 200
        offered = phone.send("get", where)
        assert offered.status_code == 404
        app = App(offered.json()["meta"]["secret"])
        assert phone.send("post", where, {"code": app.code()}).status_code == 200
        assert selectors.has_factor(alice)


def test_production_refuses_to_do_without():
    needed = {
        "SECRET_KEY": "4kQ9vXw2Zr7Lm1Ty8Bc5Nd3Hs6Jf0Gp-Ua_Ve+Wi=Xo4Yq7Zs1Rt8",
        "SECRETS_MASTER_KEY": "q83vEjRWeJCrze8BI0VniavN7wEjRWeJq83vASNFZ4k=",
        "KYC_DOCUMENTS_DIR": "/srv/d", "SUBJECT_KEYS_DIR": "/srv/k",
        "DATABASE_URL": "postgresql://bourse_app:dummy@127.0.0.1:9/b", "REDIS_URL": "redis://127.0.0.1:9/0",
        "ALLOWED_HOSTS": "x.example", "TRUSTED_PROXY_COUNT": "0",
    }  # fmt: skip
    program = "import config.settings.prod"
    said = subprocess.run(
        [sys.executable, "-c", program], env={"PATH": os.environ["PATH"], **needed, "SECOND_FACTOR_REQUIRED": "false"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert said.returncode != 0 and "SECOND_FACTOR_REQUIRED is off" in said.stderr
