"""What a new password may be; and the range API that is asked about leaks, met by a local server that checks what it is sent.

The answers' form is that of https://haveibeenpwned.com/API/v3#PwnedPasswords: lines SUFFIX:COUNT, and padding with the count 0.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from exchange.accounts.models import User
from exchange.accounts.passwords import breached, validators

LEAKED = "correct horse battery staple"
FRESH = "purple otters hum quietly"


def digest(password: str) -> str:
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


class Range(ThreadingHTTPServer):
    """The service: answers a range only where it is asked as documented, and keeps what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.known = {digest(LEAKED): 1_234}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.status, self.location, self.drip_s, self.junk = 200, "", 0.0, b""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/range/"


class _Handler(BaseHTTPRequestHandler):
    server: Range

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        prefix = self.path.removeprefix("/range/")
        if len(prefix) != 5 or any(c not in "0123456789ABCDEF" for c in prefix):
            self.send_error(400, "The hash prefix was not in a valid format")
            return
        if self.server.status != 200:
            self.send_response(self.server.status)
            if self.server.location:
                self.send_header("Location", self.server.location)
            self.end_headers()
            return
        lines = [f"{d[5:]}:{count}" for d, count in self.server.known.items() if d.startswith(prefix)]
        lines += [f"{digest(f'other {number}')[5:]}:{number}" for number in range(1, 400)]
        if self.headers.get("Add-Padding") == "true":
            lines += [f"{digest(f'padding {number}')[5:]}:0" for number in range(900 - len(lines))]
        body = self.server.junk or "\r\n".join(lines).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        try:
            if self.server.drip_s:
                for number in range(0, len(body), 10):
                    self.wfile.write(body[number : number + 10])
                    self.wfile.flush()
                    time.sleep(self.server.drip_s)
            else:
                self.wfile.write(body)
        except OSError:
            pass  # the client has had enough

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def service(settings: Any) -> Iterator[Range]:
    server = Range()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    settings.BREACHED_PASSWORDS_URL = server.url
    yield server
    server.shutdown()
    server.server_close()


def refused(password: str) -> bool:
    try:
        validators.NotBreached().validate(password)
    except ValidationError as error:
        assert error.code == "password_breached"
        return True
    return False


def counted(outcome: str) -> float:
    return breached.ASKED.labels(outcome)._value.get()


def test_a_leaked_password_is_refused_and_another_is_not(service: Range) -> None:
    assert refused(LEAKED) and not refused(FRESH)


def test_only_five_digits_of_the_hash_go_out_and_padding_is_asked_for(service: Range) -> None:
    refused(LEAKED)
    ((path, headers),) = service.asked
    assert path == f"/range/{digest(LEAKED)[:5]}"
    assert headers["Add-Padding"] == "true"
    sent = path + str(headers)
    assert digest(LEAKED)[5:] not in sent.upper() and LEAKED not in sent and "Cookie" not in headers


def test_padding_counts_for_nothing(service: Range) -> None:
    service.known[digest(FRESH)] = 0
    assert not refused(FRESH)


@pytest.mark.parametrize("status", [301, 302, 307, 429, 500, 503])
def test_a_service_in_trouble_lets_the_password_through_and_is_counted(service: Range, status: int) -> None:
    before = counted("unanswered")
    service.status = status
    assert not refused(LEAKED)
    assert counted("unanswered") == before + 1


def test_no_redirect_is_followed(service: Range) -> None:
    service.status, service.location = 302, service.url + digest(LEAKED)[:5]
    assert not refused(LEAKED)
    assert len(service.asked) == 1


def test_a_service_that_is_away_lets_the_password_through(service: Range, settings: Any) -> None:
    service.shutdown()
    service.server_close()
    before = counted("unanswered")
    assert not refused(LEAKED) and counted("unanswered") == before + 1
    settings.BREACHED_PASSWORDS_URL = "http://127.0.0.1:9/range/"
    assert not refused(LEAKED)


def test_a_service_that_drips_or_floods_is_left(service: Range, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breached, "TIMEOUT_S", 0.5)
    service.drip_s = 0.05  # its 30,000 bytes would take two and a half minutes
    assert not refused(LEAKED)
    service.drip_s, service.junk = 0, b"A" * (breached.ANSWER_BYTES_MAX + 1)
    assert not refused(LEAKED)


def test_an_answer_that_makes_no_sense_is_none(service: Range) -> None:
    before = counted("unanswered")
    service.junk = f"{digest(LEAKED)[5:]}:lots".encode()
    assert not refused(LEAKED) and counted("unanswered") == before + 1


def test_nobody_is_asked_where_it_is_switched_off(service: Range, settings: Any) -> None:
    settings.BREACHED_PASSWORDS_URL = ""
    assert not refused(LEAKED) and not service.asked


def test_the_log_names_neither_the_password_nor_its_hash(service: Range, caplog: pytest.LogCaptureFixture) -> None:
    service.status = 500
    refused(LEAKED)
    assert LEAKED not in caplog.text and digest(LEAKED)[:5] not in caplog.text.upper()


def sign_up(password: str) -> bool:
    Client().post(reverse("account_signup"), {"email": "bob@example.org", "password1": password})
    return User.objects.filter(email="bob@example.org").exists()


@pytest.mark.django_db
class TestSignUp:
    @pytest.mark.parametrize(
        "password",
        ["short", "password123", "1234567890", "qwertyuiop", "bob@example.org", "x" * 129, LEAKED],
    )
    def test_a_bad_password_is_refused(self, service: Range, password: str) -> None:
        assert not sign_up(password)

    @pytest.mark.parametrize(
        "password",
        [
            "a" * 5 + "bcdef",  # ten letters of one case
            "84729104729103847261",  # digits alone
            "пароль из нескольких слов",
            "  spaces before and after  ",
            "🦦🦦🦦 otters and nothing else",
            "Zq8$" * 32,  # 128 characters
        ],
    )
    def test_any_characters_will_do(self, service: Range, password: str) -> None:
        assert sign_up(password)
        # Exactly as it was given: not cut, not trimmed, not another case.
        bob = User.objects.get(email="bob@example.org")
        assert bob.check_password(password)
        assert not bob.check_password(password[:-1])
        assert password.strip() == password or not bob.check_password(password.strip())
        assert password.swapcase() == password or not bob.check_password(password.swapcase())

    def test_a_password_is_let_through_while_the_service_is_away(self, service: Range) -> None:
        service.status = 503
        assert sign_up(LEAKED)

    @pytest.mark.parametrize("page", ["account_signup", "account_login"])
    def test_fields_take_what_a_password_safe_pastes(self, client: Client, page: str) -> None:
        text = client.get(reverse(page)).content.decode()
        assert 'type="password"' in text and 'maxlength="' not in text.split('type="password"')[1].split(">")[0]
        assert "onpaste" not in text
