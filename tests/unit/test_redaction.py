"""What a log line shows of a secret: nothing; and what a log is for stays readable."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from config import logs, redaction

ROOT = Path(__file__).resolve().parents[2]
XPRV = "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"
WORDS = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
CANARY = "cAnArY-5f1e7d0b9a3c"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlLW9mLWEtdGVzdA"
PEM = f"-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49{CANARY.replace('-', '')}\n-----END PRIVATE KEY-----"

# What somebody might write by mistake, and the part that must not be left of it.
LINES = [
    (f"Not Found: /wallet/withdrawals/confirm/{CANARY}/", CANARY),
    (f"/account/not-me/{CANARY}/ was opened", CANARY),
    (f"Gone: /accounts/confirm-email/MQ:{CANARY}/", CANARY),
    (f"/accounts/password/reset/key/1-{CANARY}/", CANARY),
    (f"GET /cb?code={CANARY}&state=xyz", CANARY),
    (f"GET /cb?a=1&state={CANARY}", CANARY),
    (f"https://rpc.example/v1?api_key={CANARY} failed", CANARY),
    (f"POST body: email=a%40b.c&password={CANARY}&remember=on", CANARY),
    (f'{{"email": "a@b.c", "password": "{CANARY}"}}', CANARY),
    (f"{{'client_secret': '{CANARY}', 'grant_type': 'x'}}", CANARY),
    (f"headers {{'X-Session-Token': '{CANARY}', 'Accept': '*/*'}}", CANARY),
    (f"[(b'authorization', b'Bearer {CANARY}')]", CANARY),
    (f"Authorization: Bearer {CANARY}", CANARY),
    (f"Authorization: Basic {CANARY}", CANARY),
    (f"Cookie: __Host-session={CANARY}; __Host-csrf=1", CANARY),
    (f"Set-Cookie: sessionid={CANARY}; Path=/", CANARY),
    (f"X-Bourse-Signature: {CANARY}", CANARY),
    (f"X-Vault-Token={CANARY}", CANARY),
    (f"connection to postgresql://bourse_app:{CANARY}@db.example/bourse failed", CANARY),
    (f"http://user:{CANARY}@127.0.0.1:8332/ refused", CANARY),
    (f"the key is {XPRV}", XPRV[10:40]),
    (f"restored from: {WORDS}", "abandon abandon"),
    (f"restored from: {WORDS.replace(' ', ', ')}.", "abandon, abandon"),
    (PEM, CANARY.replace("-", "")),
    (f"token was {JWT}", "eyJzdWIi"),
    ("vault said hvs.CAESIJlmZvCsKkO1abcdefghijkl", "CAESIJlm"),
    (f"DETAIL:  Key (email)=({CANARY}@example.com) already exists.", CANARY),
    (f"DETAIL:  Failing row contains (7, {CANARY}, (x)).", CANARY),
    ("argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdA$aGFzaA", "c2FsdA"),
]

# What staff need to read.
KEPT = [
    "withdrawal 0198c0de-7a1b-7c00-8000-000000000001 sent as "
    "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b to bcrt1qmfy7tw4yysmk5ksnfn9nsnd2c6vv0kcwx84k4p",
    "Not Found: /wallet/withdrawals/0198c0de-7a1b-7c00-8000-000000000001/",
    "quote refused: the price 1.2e5 is out of range",
    "the service does not answer (ConnectionError)",
    "Tip 812:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "this is a sentence of many words that people write into a log when there is something long to say about it",
]


@pytest.mark.parametrize(("line", "secret"), LINES)
def test_what_looks_like_a_secret_goes(line: str, secret: str) -> None:
    for form in (line, json.dumps({"event": line}), repr(line), f"Traceback …\nValueError: {line}"):
        found = redaction.scrubbed(form)
        assert secret not in found and redaction.MASK in found


@pytest.mark.parametrize("line", KEPT)
def test_what_a_log_is_for_stays(line: str) -> None:
    assert redaction.scrubbed(line) == line


@pytest.mark.parametrize(
    "name",
    [
        "password", "new_password", "passphrase", "client_secret", "session_token", "session_key", "sessionid", "session",
        "api_key", "seed", "mnemonic", "private_key", "xprv", "Authorization", "Cookie", "signature", "X-App-Access-Sig",
        "csrftoken", "recovery_codes", "body", "raw_body", "otp", "credentials", "dsn", "key_pem",
    ],
)  # fmt: skip
def test_a_field_that_is_named_like_a_secret_is_masked_at_any_depth(name: str) -> None:
    for event in ({name: CANARY}, {"request": {"headers": [{name: CANARY}]}}, {"a": ({"b": {name: [CANARY]}},)}):
        assert CANARY not in json.dumps(redaction.named(event))


def test_other_fields_stay() -> None:
    event = {
        "event": "login",
        "user_id": 7,
        "code": "insufficient_funds",
        "sessions": 3,
        "key_id": "k_1",
        "anybody": "yes",
    }
    assert redaction.named(event) == event


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Our own configuration, as production has it, into a buffer; put back afterwards."""
    before, hooks = logging.root.handlers[:], (sys.excepthook, logging.root.level)
    known, cached = dict(logging.root.manager.loggerDict), structlog.get_config()
    logs.configure({"level": "DEBUG", "json": True})
    buffer = io.StringIO()
    (handler,) = logging.root.handlers
    handler.setStream(buffer)  # type: ignore[attr-defined]
    yield buffer
    logging.root.handlers[:] = before
    sys.excepthook = hooks[0]
    logging.root.setLevel(hooks[1])
    structlog.configure(**cached)
    assert known


def test_a_traceback_of_anybodys_passes_the_same_way(written: io.StringIO) -> None:
    try:
        raise ValueError(f"POST {{'password': '{CANARY}'}} to http://u:{CANARY}@h/ with {XPRV}")
    except ValueError:
        logging.getLogger("somebody.elses").exception("it broke for %s", {"session_token": CANARY})
        structlog.get_logger("ours").exception("broken", request={"headers": {"Authorization": CANARY}})
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert len(lines) == 2 and all("ValueError" in line["exception"] for line in lines)
    assert CANARY not in written.getvalue() and XPRV not in written.getvalue()


def test_a_line_break_in_a_value_makes_no_second_line(written: io.StringIO) -> None:
    logging.getLogger("django.request").warning("Not Found: %s", '/x\n{"event": "login", "user_id": 1}\r\n')
    (line,) = written.getvalue().splitlines()
    assert json.loads(line)["event"].startswith("Not Found: /x\n")
    assert json.loads(line)["timestamp"].endswith("Z") and json.loads(line)["level"] == "warning"


def test_no_logger_keeps_a_way_of_its_own() -> None:
    """Whatever a server set up before us: its lines come out of our handler."""
    program = (
        "import logging, logging.config, sys; from uvicorn.config import LOGGING_CONFIG as U; logging.config.dictConfig(U);"
        "from config import logs; logs.configure({'json': True});"
        f"logging.getLogger('uvicorn.error').error('Authorization: Bearer {CANARY}');"
        f"logging.getLogger('django.request').error('password={CANARY}');"
        f"raise ValueError('token={CANARY}')"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    lines = [json.loads(line) for line in (ran.stdout + ran.stderr).splitlines()]
    assert [line["logger"] for line in lines] == ["uvicorn.error", "django.request", "uncaught"]
    assert CANARY not in ran.stdout + ran.stderr and ran.returncode == 1


def test_a_long_line_is_read_to_its_end() -> None:
    """A pattern that looked a long run through from each of its letters would not come back from this."""
    long = "a" * 1_000_000 + " " + "ab " * 300_000 + "pass" * 200_000
    assert redaction.scrubbed(f"{long} password={CANARY}").endswith(f"password={redaction.MASK}")
