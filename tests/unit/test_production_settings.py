"""What config.settings.prod refuses to start with. Each case is told apart from all others by what is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOOD = {
    "SECRET_KEY": "4kQ9vXw2Zr7Lm1Ty8Bc5Nd3Hs6Jf0Gp-Ua_Ve+Wi=Xo4Yq7Zs1Rt8",
    "SECRETS_MASTER_KEY": "q83vEjRWeJCrze8BI0VniavN7wEjRWeJq83vASNFZ4k=",
    "KYC_DOCUMENTS_DIR": "/srv/documents",
    "SUBJECT_KEYS_DIR": "/srv/keys",
    "DATABASE_URL": "postgresql://bourse_app:q83vEjRWeJ@db.example/bourse",
    "REDIS_URL": "redis://valkey.example:6379/0",
    "ALLOWED_HOSTS": "exchange.example",
    "TRUSTED_PROXY_COUNT": "1",
}
CASES: dict[str, tuple[dict[str, str], str]] = {
    "as it should be": ({}, ""),
    **{f"without {name}": ({name: ""}, name) for name in GOOD if name not in ("ALLOWED_HOSTS",)},
    "no proxy, and said so": ({"TRUSTED_PROXY_COUNT": "0"}, ""),
    "a number of proxies below none": ({"TRUSTED_PROXY_COUNT": "-1"}, "TRUSTED_PROXY_COUNT is a whole number"),
    "proxies by a word": ({"TRUSTED_PROXY_COUNT": "one"}, "TRUSTED_PROXY_COUNT is a whole number"),
    "a short key": ({"SECRET_KEY": "aB3dE6gH9jK2mN5p"}, "SECRET_KEY is too short"),
    "a key of one letter": ({"SECRET_KEY": "k" * 60}, "SECRET_KEY is too short"),
    "the developers' key": ({"SECRET_KEY": "only-for-development-machines-" + "x" * 40}, "SECRET_KEY is too short"),
    "Django's own": ({"SECRET_KEY": "django-insecure-" + "aB3dE6gH9jK2mN5pQ8" * 3}, "SECRET_KEY is too short"),
    "a master key of zeros": ({"SECRETS_MASTER_KEY": "00" * 32}, "SECRETS_MASTER_KEY is too short"),
    "half a master key": ({"SECRETS_MASTER_KEY": "q83vEjRWeJCrze8BI0VniQ=="}, "SECRETS_MASTER_KEY is too short"),
    "a password that is the user's name": (
        {"DATABASE_URL": "postgresql://bourse_app:bourse_app@db.example/bourse"}, "DATABASE_URL has a password",
    ),
    "a password that everybody knows": (
        {"DATABASE_URL": "postgresql://bourse_app:Postgres@db.example/bourse"}, "DATABASE_URL has a password",
    ),
    "a broker's that everybody knows": ({"REDIS_URL": "redis://:changeme@valkey.example/0"}, "REDIS_URL has a password"),
    "the demo": ({"BOURSE_DEMO": "1"}, "BOURSE_DEMO is set"),
    "debugging": ({"DEBUG": "1"}, "DEBUG is set"),
    "faults": ({"BOURSE_FAULTS": "x"}, "BOURSE_FAULTS is for tests"),
    "the engine's faults": ({"ENGINE_FAULT": "x"}, "ENGINE_FAULT is for tests"),
    "another FCM": ({"FCM_URL": "https://elsewhere.example"}, "FCM_URL is for tests"),
    "another APNs": ({"APNS_URL": "https://elsewhere.example"}, "APNS_URL is for tests"),
    "another Twilio": ({"TWILIO_URL": "https://elsewhere.example"}, "TWILIO_URL is for tests"),
    "half of Apple's key": ({"APNS_KEY": "x"}, "APNS_KEY is set"),
    "made-up prices": ({"PRICE_SOURCE": "simulated"}, "PRICE_SOURCE is simulated"),
    "no link before withdrawals": ({"WITHDRAWAL_EMAIL_CONFIRMATION": "0"}, "WITHDRAWAL_EMAIL_CONFIRMATION is off"),
    "no second factor": ({"SECOND_FACTOR_REQUIRED": "0"}, "SECOND_FACTOR_REQUIRED is off"),
    "every host": ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS names every host"),
    "every host of a domain": ({"ALLOWED_HOSTS": ".example"}, "ALLOWED_HOSTS names every host"),
    **{
        f"the signer's {name}": ({name: "/srv/x"}, f"{name} is the signer's alone")
        for name in ("KEYSTORE_PATH", "KEYSTORE_PASSPHRASE_FILE", "KEYSTORE_VAULT_TOKEN_FILE", "SIGNER_DATABASE_URL")
    },
    "a service that is no web address": ({"SANCTIONS_URL": "file:///etc/passwd"}, "SANCTIONS_URL"),
}  # fmt: skip
PROGRAM = """
import importlib, json, os, sys
for name, (changes, _) in json.load(sys.stdin).items():
    os.environ.clear()
    os.environ.update({key: value for key, value in {**GOOD, **changes}.items() if value})
    for module in [each for each in sys.modules if each.startswith("config.")]:
        del sys.modules[module]
    try:
        house = importlib.import_module("config.settings.prod")
    except Exception as error:
        print(json.dumps([name, f"{type(error).__name__}: {error}", None]))
    else:
        print(json.dumps([name, "", house.SECURE_PROXY_SSL_HEADER]))
"""


@pytest.fixture(scope="module")
def told() -> dict[str, tuple[str, list[str] | None]]:
    """What each case ends with (nothing where it starts), and the header by which it would believe that https was used."""
    ran = subprocess.run(
        [sys.executable, "-c", f"GOOD = {GOOD!r}\n{PROGRAM}"],
        cwd=ROOT, env={"PATH": os.environ["PATH"]}, input=json.dumps(CASES), capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return {name: (words, header) for name, words, header in map(json.loads, ran.stdout.splitlines())}


@pytest.fixture(scope="module")
def said(told: dict[str, tuple[str, list[str] | None]]) -> dict[str, str]:
    return {name: words for name, (words, _) in told.items()}


def test_only_a_proxy_of_ours_can_say_that_https_was_used(told: dict[str, tuple[str, list[str] | None]]) -> None:
    assert told["as it should be"][1] == ["HTTP_X_FORWARDED_PROTO", "https"]
    assert told["no proxy, and said so"][1] is None


@pytest.mark.parametrize("case", CASES)
def test_it_says_what_is_wrong_without_the_value(said: dict[str, str], case: str) -> None:
    changes, words = CASES[case]
    if not words:
        assert said[case] == ""
        return
    assert said[case].startswith("ImproperlyConfigured: ") and words in said[case]
    for name, value in changes.items():
        secret = len(value) > 8 and name in ("SECRET_KEY", "SECRETS_MASTER_KEY", "DATABASE_URL", "REDIS_URL")
        assert not secret or value not in said[case]
