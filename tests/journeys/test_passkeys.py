"""Passkeys in a real browser: registered, logged in with, and shown again before coins leave. The key is Chromium's own virtual
authenticator; the site stands at localhost, because a passkey belongs to a name and never to a bare address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from exchange.accounts.second_factors import selectors
from exchange.audit.models import Record
from tests.journeys.conftest import PASSWORD

pytestmark = [pytest.mark.browser]
KEY = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def with_key(window: Any) -> tuple[Any, str]:
    """Plugs a virtual authenticator into the window."""
    devices = window.context.new_cdp_session(window.page)
    devices.send("WebAuthn.enable")
    return devices, devices.send("WebAuthn.addVirtualAuthenticator", {"options": KEY})["authenticatorId"]


def test_a_passkey_is_registered_logs_in_and_is_shown_again_before_coins_leave(
    exchange: Any, visitor: Callable[..., Any]
) -> None:
    user_id = exchange.customer("petra", btc=10**8)
    window = visitor()
    window.url = exchange.url.replace("127.0.0.1", "localhost")
    devices, key = with_key(window)
    page = window.page
    window.log_in("petra")

    window.goto("/accounts/2fa/webauthn/add/")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Name").fill("Petra's laptop")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator(".codes li")).to_have_count(10)
    assert [factor.kind for factor in selectors.factors(user_id)] == [selectors.PASSKEY, selectors.RECOVERY_CODES]
    window.goto("/accounts/2fa/webauthn/")
    expect(page.locator(".entry")).to_contain_text("Petra's laptop")
    expect(page.locator(".entry .badge")).to_have_text("Logs you in")

    window.context.clear_cookies()
    window.goto("/accounts/login/")
    page.get_by_role("button", name="Log in with a passkey").click()
    expect(page.get_by_role("heading", name="Wallet")).to_be_visible()
    kept = devices.send("WebAuthn.getCredentials", {"authenticatorId": key})["credentials"]
    assert [(one["isResidentCredential"], one["rpId"]) for one in kept] == [(True, "localhost")]

    window.goto("/wallet/withdraw/BTC/")  # the log-in was no confirmation
    expect(page.get_by_role("heading", name="Confirm it is you")).to_be_visible()
    devices.send("WebAuthn.setUserVerified", {"authenticatorId": key, "isUserVerified": False})
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("alert").filter(has_text="Nothing was confirmed")).to_be_visible()
    devices.send("WebAuthn.setUserVerified", {"authenticatorId": key, "isUserVerified": True})
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_label("Amount that should arrive")).to_be_visible()
    done = list(Record.objects.filter(subject=f"user:{user_id}", action__startswith="factor.").values_list("action"))
    assert sorted(done) == [("factor.confirm",), ("factor.log_in",)]

    window.context.clear_cookies()  # and as the second step after a password
    window.goto("/accounts/login/")
    page.get_by_label("Email").fill("petra@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Wallet")).to_be_visible()
