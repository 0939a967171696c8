"""What docs/api.md tells mobile apps is true: its curl commands are run in a shell, in their order, against a live server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.totp.internal import auth as totp
from django.conf import settings

from tests.integration.api.conftest import Exchange
from tests.passkey import Passkey
from tests.providers import stand_ins, ways

DOCS = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text()
STEPS = re.findall(r"^```sh\n(curl.*?)^```\n```json\n(.*?)^```$", DOCS, re.DOTALL | re.MULTILINE)
WAIT_S = 120
EXACT = ("status", "code", "id", "type", "param", "is_pending", "provider", "method", "verified", "primary")
NONCE = "of-the-app"


class Phone:
    """The app of the page: what it remembers between its requests."""

    def __init__(self, url: str, google: stand_ins.Google) -> None:
        self.url, self.google = url.replace("127.0.0.1", "localhost"), google  # a passkey belongs to a name
        self.passkey = Passkey(self.url)
        self.known = {"SITE": self.url, "NONCE": NONCE}
        self.secret, self.counter = "", 0
        self.options: dict[str, Any] = {}

    def ask(self, command: str) -> dict[str, Any]:
        for name in re.findall(r"\$(KEY|CODE|ID_TOKEN|CREDENTIAL)\b", command):
            self.known[name] = getattr(self, f"_{name.lower()}")()
        ran = subprocess.run(
            ["bash", "-euc", 'curl() { command curl -sS --max-time 60 "$@"; }\n' + command],
            env={**os.environ, **self.known}, capture_output=True, text=True, timeout=WAIT_S,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        answer = dict(json.loads(ran.stdout))
        self._remember(command, answer)
        return answer

    def _remember(self, command: str, answer: dict[str, Any]) -> None:
        meta, data = answer.get("meta") or {}, answer.get("data") or {}
        if "session_token" in meta:
            self.known["TOKEN"] = meta["session_token"]
        self.secret = meta.get("secret", self.secret)
        if isinstance(data, dict):
            self.options = data.get("creation_options") or data.get("request_options") or self.options
        if "2fa/reauthenticate" in command:
            self.known["ANN"] = self.known["TOKEN"]

    def _key(self) -> str:
        """Of the newest mail that has one. The folder is shared; so only what came for this page's people counts."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            mails = (Path(settings.STATE_DIR) / "mail").glob("*.log")
            for path in sorted(mails, key=lambda path: path.stat().st_mtime, reverse=True):
                text = path.read_text().replace("=\n", "")
                found = re.search(r"/accounts/(?:confirm-email|password/reset/key)/([^/\s]+)/", text)
                if found and self.url in text:
                    return found[1]
            time.sleep(0.1)
        raise AssertionError("no mail came")

    def _code(self) -> str:
        """What the authenticator app shows; each code once."""
        while True:
            present = int(time.time()) // 30
            wanted = max(self.counter + 1, present - 1)
            if wanted <= present + 1:
                self.counter = wanted
                return str(totp.format_hotp_value(totp.hotp_value(self.secret, wanted)))
            time.sleep(0.5)

    def _id_token(self) -> str:
        return self.google.id_token(nonce=NONCE)

    def _credential(self) -> str:
        made = self.passkey.get if "rpId" in self.options["publicKey"] else self.passkey.create
        return json.dumps(made(self.options))


@pytest.fixture(scope="module")
def phone(exchange: Exchange) -> Iterator[Phone]:
    google = stand_ins.Google(person=dict(ways.PEOPLE["google"]))
    exchange.end(exchange.web)
    exchange.environment = google.environment()
    exchange.start_web()
    yield Phone(exchange.url, google)
    google.close()


def shown_is_real(shown: Any, real: Any, path: str = "") -> None:
    """Whatever the page shows is there: the same fields and kinds of values, and the same words where programs decide by them."""
    if isinstance(shown, dict):
        assert isinstance(real, dict) and set(shown) <= set(real), (path, shown, real)
        for name in shown:
            shown_is_real(shown[name], real[name], f"{path}.{name}")
    elif isinstance(shown, list):
        assert isinstance(real, list) and len(shown) <= len(real), (path, shown, real)
        for one, other in zip(shown, real, strict=False):
            shown_is_real(one, other, f"{path}[]")
    elif path.rpartition(".")[2] in EXACT and not (path.endswith(".id") and isinstance(shown, int)):
        assert shown == real, path
    else:
        assert type(shown) is type(real), (path, shown, real)


def test_there_are_commands_to_run() -> None:
    assert len(STEPS) >= 25


@pytest.mark.parametrize(
    "number", range(len(STEPS)), ids=[f"{n}-{step[0].splitlines()[0][:60]}" for n, step in enumerate(STEPS)]
)
def test_a_command_of_the_page(phone: Phone, number: int) -> None:
    command, answer = STEPS[number]
    real = phone.ask(command)
    shown_is_real(json.loads(answer), real)
