"""A customer with an authenticator app before the pages, for the tests of second factors."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from exchange.accounts.second_factors import codes
from exchange.accounts.services import customers

COMMITS = pytest.mark.django_db(transaction=True)  # what allauth does after a commit matters there
PASSWORD = "correct horse battery staple"
INDEX = reverse("mfa_index")
ACTIVATE = reverse("mfa_activate_totp")
CONFIRM = reverse("mfa_reauthenticate")
SECOND_STEP = reverse("mfa_authenticate")


def open_customer(name: str) -> int:
    return customers.open(email=f"{name}@example.org", password=PASSWORD, email_verified=True, now=timezone.now())


def log_in(client: Client, name: str = "alice", password: str = PASSWORD) -> Any:
    return client.post(reverse("account_login"), {"login": f"{name}@example.org", "password": password})


def logged_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def app_shows(secret: str, *, steps: int = 0) -> str:
    """The code now, or so many half minutes away: a code is good for once, so a test that needs two takes the next."""
    return codes.of_secret(secret, at=time.time() + 30 * steps)


def by_password(client: Client) -> None:
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})


def set_up(client: Client) -> str:
    """A first app, as a person sets it up; its secret."""
    by_password(client)
    secret = re.search(r'id="totp-secret"[^>]*>([A-Z2-7]+)<', client.get(ACTIVATE).content.decode())[1]
    answer = client.post(ACTIVATE, {"code": app_shows(secret)})
    assert answer.url == reverse("mfa_view_recovery_codes"), answer
    return secret


def through(client: Client, code: str) -> Any:
    log_in(client)
    return client.post(SECOND_STEP, {"code": code})
