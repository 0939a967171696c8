"""Every address of the URLconf under production's settings, through the whole ASGI application: what each answer says to a
browser, which cookies it sets, and that no cookie alone changes anything. A new address is found by itself.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from channels.routing import URLRouter
from django.contrib.auth import get_user_model
from django.core.asgi import get_asgi_application
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern
from django.utils import timezone
from django.utils.regex_helper import normalize

from config.headers import Headers
from config.proxies import TrustedProxies
from exchange.accounts.services import customers
from exchange.site.api.body_limit import BodyLimit
from exchange.site.api.handler import ApiBesidePages
from tests.factors import log_in_staff
from trading.routing import websocket_urlpatterns

pytestmark = pytest.mark.django_db(transaction=True)
HOST = "exchange.example"
UUID = "0198c0de-7a1b-7c00-8000-000000000001"
FILLERS = {"int": "1", "str": "x", "slug": "x", "uuid": UUID, "path": "x"}
OF_PRODUCTION = (
    "SECURE_",
    "SESSION_COOKIE",
    "CSRF_COOKIE",
    "CSRF_TRUSTED",
    "DEVICE_COOKIE",
    "ALLOWED_HOSTS",
    "SITE_URL",
)
# Here no cookie is looked at: the apps' flows go by X-Session-Token alone, the hooks by their signature.
WITHOUT_COOKIES = ("/_allauth/", "/hooks/")
# Apple answers by a form of its own site; the state that this session gave it stands in a token's place.
BY_STATE = {"/accounts/apple/login/callback/"}
REFUSALS = {400, 403, 404, 405, 410, 415}


def addresses(resolver: URLResolver | None = None, before: str = "/") -> Iterator[str]:
    """One path for each pattern."""
    for entry in (resolver or get_resolver()).url_patterns:
        path = before + _filled(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from addresses(entry, path)
        elif isinstance(entry, URLPattern):
            yield path


def _filled(pattern: Any) -> str:
    if isinstance(pattern, RegexPattern):
        form, names = normalize(pattern.regex.pattern)[0]
        return str(form) % dict.fromkeys(names, "x") if names else str(form)
    return re.sub(r"<(?:(\w+):)?\w+>", lambda found: FILLERS[found[1] or "str"], str(pattern))


PATHS = sorted(set(addresses()))


@dataclass
class Answer:
    path: str
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def one(self, name: str) -> str:
        """The value of a header that stands there exactly once."""
        found = [value for key, value in self.headers if key == name]
        assert len(found) == 1, (self.path, self.status, name, found)
        return found[0]


class Site:
    """The application as `config.asgi` builds it, under the settings of this test."""

    def __init__(self) -> None:
        self.application = Headers(TrustedProxies(BodyLimit(ApiBesidePages(pages=get_asgi_application()))))

    def ask(self, path: str, *, method: str = "GET", cookie: str = "", https: bool = True, **more: str) -> Answer:
        headers = [(b"host", HOST.encode()), (b"user-agent", b"test"), (b"accept", b"*/*")]
        if https:
            headers.append((b"x-forwarded-proto", b"https"))
        if cookie:
            headers.append((b"cookie", cookie.encode()))
        headers += [(name.replace("_", "-").encode(), value.encode()) for name, value in more.items()]
        return async_to_sync(self._ask)(method, path, headers)

    async def _ask(self, method: str, path: str, headers: list[tuple[bytes, bytes]]) -> Answer:
        scope = {
            "type": "http", "http_version": "1.1", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": headers, "scheme": "http", "client": ("203.0.113.9", 4711), "server": (HOST, 80), "root_path": "",
        }  # fmt: skip
        asked = ApplicationCommunicator(self.application, scope)
        await asked.send_input({"type": "http.request", "body": b"", "more_body": False})
        said, body = await asked.receive_output(120), b""
        more = True
        while more:
            part = await asked.receive_output(120)
            body, more = body + part.get("body", b""), part.get("more_body", False)
        await asked.wait(120)
        told = [(bytes(name).decode().lower(), bytes(value).decode("latin1")) for name, value in said["headers"]]
        return Answer(f"{method} {path}", said["status"], told, body)


@pytest.fixture
def production(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What production's settings say about browsers, put in place here."""
    for name, value in {
        "SECRET_KEY": "4kQ9vXw2Zr7Lm1Ty8Bc5Nd3Hs6Jf0Gp-Ua_Ve+Wi=Xo4Yq7Zs1Rt8",
        "SECRETS_MASTER_KEY": "q83vEjRWeJCrze8BI0VniavN7wEjRWeJq83vASNFZ4k=",
        "KYC_DOCUMENTS_DIR": "/srv/documents",
        "SUBJECT_KEYS_DIR": "/srv/keys", "ALLOWED_HOSTS": HOST, "TRUSTED_PROXY_COUNT": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    for name in (
        "BOURSE_DEMO",
        "ENGINE_FAULT",
        "BOURSE_FAULTS",
        "SIGNER_DATABASE_URL",
        "KEYSTORE_PATH",
        "KEYSTORE_PASSPHRASE_FILE",
    ):
        monkeypatch.delenv(name, raising=False)
    sys.modules.pop("config.settings.prod", None)
    try:
        house = importlib.import_module("config.settings.prod")
    finally:
        sys.modules.pop("config.settings.prod", None)
    for name in dir(house):
        if name.startswith(OF_PRODUCTION):
            setattr(settings, name, getattr(house, name))
    settings.API_LIMITS = dict.fromkeys(settings.API_LIMITS, (10**6, 10**6))
    return settings


@pytest.fixture
def site(production: Any) -> Site:
    return Site()


def _cookie(client: Client, settings: Any) -> str:
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


@pytest.fixture
def customer(production: Any) -> str:
    user_id = customers.open(email="ann@example.com", password="w" * 20, email_verified=True, now=timezone.now())
    client = Client(HTTP_HOST=HOST)
    log_in_staff(client, user_id)  # with a factor, and just confirmed
    return _cookie(client, production)


@pytest.fixture
def staff(production: Any) -> str:
    person = get_user_model().objects.create_superuser(email="staff@example.com", password="w" * 20)
    client = Client(HTTP_HOST=HOST)
    log_in_staff(client, person)
    return _cookie(client, production)


def judge(answer: Answer) -> None:
    """What every answer has to say."""
    path = answer.path.partition(" ")[2]
    assert answer.status < 500 or answer.status == 503, (answer.path, answer.status, answer.body[:300])
    assert re.match(r"max-age=(\d{8,}); includeSubDomains", answer.one("strict-transport-security")), answer.path
    assert int(answer.one("strict-transport-security")[8:16]) >= 31_536_000
    assert answer.one("x-content-type-options") == "nosniff"
    assert answer.one("referrer-policy") in ("same-origin", "no-referrer"), answer.path
    assert answer.one("cross-origin-opener-policy") == "same-origin"
    assert answer.one("cross-origin-resource-policy") == "same-origin"
    assert "camera=()" in answer.one("permissions-policy")
    assert "no-store" in answer.one("cache-control"), (answer.path, answer.one("cache-control"))
    _judge_policy(answer, path)
    for name, value in answer.headers:
        assert name not in ("server", "x-powered-by", "access-control-allow-origin"), (answer.path, name, value)
        if name == "set-cookie":
            _judge_cookie(answer, value)
    if answer.body:
        kind = answer.one("content-type")
        assert not kind.startswith("text/") or "charset=utf-8" in kind.lower().replace('"', ""), (answer.path, kind)


def _judge_policy(answer: Answer, path: str) -> None:
    policy = dict(part.strip().partition(" ")[::2] for part in answer.one("content-security-policy").split(";"))
    assert policy["frame-ancestors"] == "'none'" and policy["base-uri"] == "'none'", answer.path
    assert policy.get("object-src", policy["default-src"]) == "'none'", answer.path
    assert "unsafe-inline" not in str(policy) and "http:" not in str(policy) and "*" not in str(policy), answer.path
    assert path.startswith("/admin/") or "unsafe-eval" not in str(policy), answer.path


def _judge_cookie(answer: Answer, value: str) -> None:
    (morsel,) = SimpleCookie(value).values()
    assert morsel.key.startswith("__Host-"), (answer.path, value)
    assert morsel["secure"] and morsel["path"] == "/" and not morsel["domain"], (answer.path, value)
    assert morsel["samesite"] in ("Lax", "Strict"), (answer.path, value)
    assert morsel["httponly"] or morsel.key == "__Host-csrf", (answer.path, value)
    assert len(value.partition(";")[0]) <= 4096


def test_the_application_is_the_one_that_is_tried_here() -> None:
    from config.asgi import application

    assert isinstance(application, Headers) and isinstance(application.application, TrustedProxies)


def test_the_walk_finds_them_all() -> None:
    assert len(PATHS) > 250
    for known in (
        "/",
        "/account/security/",
        "/api/v1/orders",
        "/admin/",
        "/hooks/kyc/x/",
        "/livez",
        "/accounts/login/",
    ):
        assert known in PATHS
    assert any(path.startswith("/_allauth/app/v1/") for path in PATHS)


def test_every_answer_to_a_stranger(site: Site) -> None:
    for path in [*PATHS, "/no-such-page", "/admin/no-such-page", "/api/v1/no-such"]:
        judge(site.ask(path))


def test_every_answer_to_a_customer(site: Site, customer: str) -> None:
    for path in PATHS:
        if not path.startswith(("/accounts/logout", "/admin/")):  # there a customer is a stranger
            judge(site.ask(path, cookie=customer))


def test_every_answer_to_staff(site: Site, staff: str) -> None:
    answers = [site.ask(path, cookie=staff) for path in PATHS if path.startswith("/admin/") and "logout" not in path]
    for answer in answers:
        judge(answer)
    assert sum(answer.status == 200 for answer in answers) > 40  # they were let in


def test_what_is_refused_at_the_door_says_the_same(site: Site) -> None:
    judge(site.ask("/api/v1/orders", method="POST", content_length="999999999"))
    judge(site.ask("/", method="TRACE"))
    judge(site.ask("/wallet/", method="POST"))


def test_no_cookie_alone_changes_anything(site: Site, customer: str, staff: str) -> None:
    """The session's cookie and our own origin, but no token: each unsafe method of each address is refused."""
    more = {"origin": f"https://{HOST}", "referer": f"https://{HOST}/", "content_type": "application/json"}
    for path in PATHS:
        if path.startswith(WITHOUT_COOKIES) or path in BY_STATE:
            continue
        cookie = staff if path.startswith("/admin/") else customer
        for method in ("POST", "PUT", "PATCH", "DELETE") if path.startswith("/api/") else ("POST",):
            answer = site.ask(path, method=method, cookie=cookie, **more)
            judge(answer)
            assert answer.status in REFUSALS, (answer.path, answer.status)


def test_another_sites_form_changes_nothing(site: Site, customer: str, production: Any) -> None:
    """With a token, even, but from elsewhere."""
    token = "a" * 32
    cookie = f"{customer}; {production.CSRF_COOKIE_NAME}={token}"
    for path in ("/account/log-ins/end-others/", "/wallet/addresses/mode/", "/api/v1/orders", "/accounts/logout/"):
        for origin in ("https://evil.example", f"https://sub.{HOST}", "null", f"http://{HOST}"):
            answer = site.ask(path, method="POST", cookie=cookie, origin=origin, x_csrftoken=token)
            assert answer.status == 403, (path, origin, answer.status)


def test_where_no_token_is_asked_for_no_cookie_is_looked_at(site: Site, customer: str) -> None:
    """A browser's session opens nothing of the apps' flows: what a page of another site sends there, it sends as a stranger."""
    for path in ("/_allauth/app/v1/auth/session", "/_allauth/app/v1/account/email", "/_allauth/app/v1/auth/sessions"):
        assert site.ask(path, cookie=customer).status in (401, 403), path
    assert site.ask("/hooks/kyc/sumsub/", method="POST", cookie=customer).status in (400, 401, 403, 404)


def test_in_the_clear_pages_are_led_to_https_and_programs_refused(site: Site) -> None:
    led = site.ask("/accounts/login/", https=False)
    assert led.status == 301 and dict(led.headers)["location"].startswith(f"https://{HOST}/")
    refused = site.ask("/api/v1/time", https=False)
    assert refused.status == 400 and b"https_required" in refused.body


def test_methods_that_are_nobodys_are_refused(site: Site, customer: str) -> None:
    # RFC 9110, 15.5.6: whoever refuses a method says which there are.
    for method in ("TRACE", "TRACK", "CONNECT", "PROPFIND", "QUERY"):
        for path in ("/wallet/", "/accounts/login/"):
            refused = site.ask(path, method=method, cookie=customer)
            assert refused.status == 405 and "GET" in dict(refused.headers)["allow"], (method, path)
        refused = site.ask("/api/v1/markets", method=method)
        assert refused.status == 405 and "GET" in dict(refused.headers)["allow"], method
        assert b"method_not_allowed" in refused.body, method
        # A method that is none of the safe ones asks for more than a cookie, before anything else is said.
        assert site.ask("/api/v1/balances", method=method, cookie=customer).status in (403, 405), method


def _opened(origin: str) -> dict[str, Any]:
    """What a websocket's handshake from a page of this origin is answered with."""
    scope = {
        "type": "websocket", "http_version": "1.1", "path": "/ws/", "raw_path": b"/ws/", "query_string": b"", "scheme": "wss",
        "headers": [(b"host", HOST.encode()), (b"origin", origin.encode())], "subprotocols": [], "root_path": "",
        "client": ("203.0.113.9", 4711), "server": (HOST, 443),
    }  # fmt: skip

    async def handshake() -> dict[str, Any]:
        asked = ApplicationCommunicator(URLRouter(websocket_urlpatterns), scope)
        await asked.send_input({"type": "websocket.connect"})
        said = dict(await asked.receive_output(120))
        asked.stop(exceptions=False)
        return said

    return dict(async_to_sync(handshake)())


def test_another_sites_page_opens_no_websocket(production: Any) -> None:
    assert _opened(f"https://{HOST}")["type"] == "websocket.accept"
    for origin in (
        "https://evil.example",
        f"https://{HOST}.evil.example",
        f"https://sub.{HOST}",
        "null",
        "http://127.0.0.1",
    ):
        assert _opened(origin)["type"] != "websocket.accept", origin
