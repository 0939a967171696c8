"""Canaries: a customer's whole way in with secrets that are known to the test, at the most talkative log level, and with a worker
that sends the mails. Afterwards none of them stands in any process's log, in the audit, in the outbox or in what a failure tells.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
import requests
from django.conf import settings
from django.utils import timezone

from tests.integration.api.bots import Bot, remembering
from tests.integration.api.conftest import ANSWER_S, START_S, Customer, Exchange
from tests.verification import picture

CANARY = "kanarie-7Qv3xW"
WORD, NEW_WORD, WRONG = f"{CANARY}-first-word", f"{CANARY}-second-word", f"{CANARY}-wrong-word"
EMAIL = "canary@example.com"
PERSON = {
    "given_names": "Kanarienvogel", "family_names": "Zwitscherling", "birth_date": "1987-03-14", "nationality": "GB",
    "country": "FR", "document_type": "passport",
}  # fmt: skip
XPRV = "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"
DESTINATION = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


class Way:
    """One customer's steps, and every secret that came up on them."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange, self.http = exchange, requests.Session()
        self.token = ""
        self.secrets = {
            "a password": WORD, "a new password": NEW_WORD, "a wrong password": WRONG, "an extended private key": XPRV,
            "a name": PERSON["given_names"], "a family name": PERSON["family_names"], "a birth date": PERSON["birth_date"],
        }  # fmt: skip

    def app(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        headers = {"X-Session-Token": self.token} if self.token else {}
        url = f"{self.exchange.url}/_allauth/app/v1/{path}"
        answer = requests.request(
            method, url, headers={**headers, **options.pop("headers", {})}, timeout=ANSWER_S, **options
        )
        said = dict(answer.json())
        if token := (said.get("meta") or {}).get("session_token"):
            self.token = token
            self.secrets[f"a session token after {path}"] = token
        return said

    def mailed(self, pattern: str) -> str:
        """What a link in one of this customer's mails carries."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            for path in sorted(
                (Path(settings.STATE_DIR) / "mail").glob("*.log"), key=lambda each: -each.stat().st_mtime
            ):
                text = path.read_bytes()
                body = message_from_bytes(text, policy=policy.default).get_body(("plain",))
                said = body.get_content() if body is not None else text.decode(errors="replace")
                if self.exchange.url in said and EMAIL.encode() in text and (found := re.search(pattern, said)):
                    return found[1]
            time.sleep(0.2)
        raise AssertionError(f"no mail with {pattern}")

    def page(self, path: str) -> requests.Response:
        """Presses the button of a page that a link leads to."""
        url = f"{self.exchange.url}{path}"
        shown = self.http.get(url, timeout=ANSWER_S)
        field = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', shown.text)
        return self.http.post(url, {"csrfmiddlewaretoken": field[1] if field else ""}, timeout=ANSWER_S)


@pytest.fixture(scope="module")
def way(exchange: Exchange) -> Iterator[Way]:
    """Web, and a worker for the mails; both say all that they ever say."""
    talkative = {"LOG_LEVEL": "DEBUG", "SECOND_FACTOR_REQUIRED": "0"}
    exchange.end(exchange.web)
    exchange.environment = talkative
    exchange.start_web()
    exchange.start(
        sys.executable, "-m", "celery", "-A", "config", "worker", "-P", "solo", "-l", "debug", "-Q", "default",
        environment={**talkative, "SITE_URL": exchange.url},
    )  # fmt: skip
    remembering(exchange)
    found = Way(exchange)
    signed_up_and_in(found)
    reset(found)
    customer = money(found)
    keys(found, customer)
    verification(found, customer)
    failures(found, customer)
    yield found


def signed_up_and_in(way: Way) -> None:
    way.app("POST", "auth/signup", json={"email": EMAIL, "password": WORD})
    key = way.mailed(r"/accounts/confirm-email/([^/\s]+)/")
    way.secrets["the key that confirms an e-mail"] = key
    way.app("POST", "auth/email/verify", json={"key": key})
    way.app("POST", "auth/login", json={"email": EMAIL, "password": WRONG})
    way.token = ""
    assert way.app("POST", "auth/login", json={"email": EMAIL, "password": WORD})["status"] == 200
    requests.get(f"{way.exchange.url}/accounts/confirm-email/{key}/", timeout=ANSWER_S)
    requests.get(
        f"{way.exchange.url}/accounts/confirm-email/{key}x/", timeout=ANSWER_S
    )  # one that is none, on an error page


def reset(way: Way) -> None:
    way.token = ""
    way.app("POST", "auth/password/request", json={"email": EMAIL})
    key = way.mailed(r"/accounts/password/reset/key/([^/\s]+)/")
    way.secrets["the key that sets a password"] = key
    requests.get(f"{way.exchange.url}/accounts/password/reset/key/{key}/", timeout=ANSWER_S)
    way.app("POST", "auth/password/reset", json={"key": key, "password": NEW_WORD})
    way.token = ""
    assert way.app("POST", "auth/login", json={"email": EMAIL, "password": NEW_WORD})["status"] == 200


def money(way: Way) -> Customer:
    """A withdrawal, and the link of its mail: looked at, pressed, and opened again when it is over."""
    from exchange.accounts.models import Pause, User
    from exchange.assets.models import Rate
    from kyc.services import levels

    user_id = User.objects.get(email=EMAIL).pk
    levels.assign(user_id=user_id, level=4, reason="test", actor_id=None, now=timezone.now())
    customer = Customer(way.exchange.url, user_id, EMAIL, way.token)
    way.exchange.fund(customer, 1, 2 * 10**8)
    now = timezone.now()
    Rate.objects.update_or_create(
        asset_id=1, defaults={"price": Decimal(100), "as_of": now, "fetched_at": now, "source": "test"}
    )
    Pause.objects.filter(user_id=user_id).update(until=now - timedelta(seconds=1))  # the reset has paused withdrawals
    wanted = {"asset": "BTC", "network": "bitcoin", "address": DESTINATION, "amount": "0.1"}
    answer = customer.post("withdrawals", wanted, headers={"Idempotency-Key": "canary-1"})
    assert answer.status_code == 201, answer.text
    token = way.mailed(r"/wallet/withdrawals/confirm/([^/\s]+)/")
    way.secrets["the key that confirms a withdrawal"] = token
    for _ in range(2):
        way.page(f"/wallet/withdrawals/confirm/{token}/")
    link = way.mailed(r"/account/not-me/([^/\s]+)/")
    way.secrets["the key that freezes an account"] = link
    requests.get(f"{way.exchange.url}/account/not-me/{link}/", timeout=ANSWER_S)
    requests.get(f"{way.exchange.url}/account/not-me/{link}x/", timeout=ANSWER_S)
    return customer


def keys(way: Way, customer: Customer) -> None:
    made = customer.post("api-keys", {"label": "canary", "kind": "hmac", "scopes": ["read", "trade"]})
    assert made.status_code == 201, made.text
    way.secrets["an API key's secret"] = made.json()["secret"]
    program = Bot(customer.url, customer.user_id, made.json()["id"], bytes.fromhex(made.json()["secret"]))
    for forged in (False, True):
        told = program.headers("GET", "/api/v1/me")
        if forged:
            told["X-Bourse-Signature"] = told["X-Bourse-Signature"][::-1]
        way.secrets[f"a signature ({forged=})"] = told["X-Bourse-Signature"]
        requests.get(f"{customer.url}/api/v1/me", headers=told, timeout=ANSWER_S)
    way.app("POST", "auth/reauthenticate", json={"password": NEW_WORD})
    app = way.app("GET", "account/authenticators/totp")
    way.secrets["an authenticator's secret"] = app["meta"]["secret"]


def verification(way: Way, customer: Customer) -> None:
    from kyc.services import levels

    levels.assign(user_id=customer.user_id, level=1, reason="test", actor_id=None, now=timezone.now())
    begun = customer.post("kyc/applications", {"level": 2}).json()
    path = f"kyc/applications/{begun['id']}"
    assert customer.call("PUT", f"{path}/words", json=PERSON).status_code == 200
    photo = picture(comment=CANARY.encode())
    sent = customer.call("POST", f"{path}/pictures?kind=passport", data=photo, headers={"Content-Type": "image/jpeg"})
    assert sent.status_code == 201, sent.text
    customer.call(
        "POST", f"{path}/pictures?kind=passport", data=CANARY.encode(), headers={"Content-Type": "image/jpeg"}
    )


def failures(way: Way, customer: Customer) -> None:
    """What people paste where it does not belong."""
    customer.post("orders", {"market": XPRV, "side": "buy", "password": NEW_WORD})
    customer.post("withdrawals", {"asset": "BTC", "address": XPRV, "network": "bitcoin", "amount": WRONG})
    for path in (f"/trade/?password={WRONG}", f"/nowhere?token={way.token}", f"/api/v1/nowhere?signature={WRONG}"):
        requests.get(f"{customer.url}{path}", timeout=ANSWER_S, headers={"Authorization": f"Bearer {way.token}"})
    requests.post(f"{customer.url}/accounts/login/", {"login": EMAIL, "password": WRONG}, timeout=ANSWER_S)
    requests.post(f"{customer.url}/wallet/", data=f"password={WRONG}", timeout=ANSWER_S)


def found_in(text: str, way: Way) -> list[str]:
    return [what for what, secret in way.secrets.items() if secret and secret in text] + [CANARY] * (CANARY in text)


def test_the_processes_have_talked_and_said_no_secret(way: Way) -> None:
    text = way.exchange.log.read_text(errors="replace")
    assert "error_page" in text and "outbox.deliver" in text  # both of them are heard
    assert len(way.secrets) > 15
    assert found_in(text, way) == []


@pytest.mark.parametrize(
    "table",
    ["audit_record", "outbox_event", "outbox_delivery", "notifications_notification", "django_admin_log", "axes_accessattempt"],
)  # fmt: skip
def test_no_row_keeps_one(way: Way, table: str) -> None:
    """Names and birth dates are secrets here, too: neither audit nor outbox may hold them, for neither can be erased from."""
    with way.exchange.owner.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(string_agg(row::text, E'\\n'), '') FROM {table} AS row")
        text = str(cursor.fetchone()[0])
    if table in ("audit_record", "outbox_event"):
        assert text
    assert found_in(text, way) == []


def test_the_database_holds_words_and_secrets_sealed(way: Way) -> None:
    with way.exchange.owner.cursor() as cursor:
        for table in ("accounts_api_key", "mfa_authenticator", "kyc_application", "kyc_document", "accounts_user"):
            cursor.execute(f"SELECT coalesce(string_agg(row::text, E'\\n'), '') FROM {table} AS row")
            assert found_in(str(cursor.fetchone()[0]), way) == [], table


def test_a_page_about_a_failure_tells_no_secret(way: Way) -> None:
    link = way.secrets["the key that freezes an account"]
    for path in (f"/account/not-me/{link}x/", f"/nowhere?token={way.token}"):
        answer = requests.get(f"{way.exchange.url}{path}", timeout=ANSWER_S)
        assert answer.status_code == 404 and found_in(answer.text, way) == []
