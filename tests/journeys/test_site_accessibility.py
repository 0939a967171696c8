"""axe-core finds nothing on the pages a customer meets, in light and in dark, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from wallets.services import address_book

pytestmark = [pytest.mark.browser]
AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
THEIRS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PUBLIC = ["/", "/markets/", "/trade/BTC-USDT/", "/status/", "/accounts/login/", "/accounts/signup/", "/no/such/page/"]
PRIVATE = [
    "/wallet/",
    "/wallet/deposit/BTC/",
    "/wallet/withdraw/BTC/",
    "/wallet/addresses/",
    "/wallet/history/",
    "/orders/",
    "/trade/BTC-USDT/",
    "/accounts/email/",
    "/account/security/",
    "/account/log-ins/",
    "/account/export/",
    "/account/verification/",
    "/accounts/3rdparty/",
    "/accounts/2fa/",
    "/accounts/2fa/reauthenticate/",
    "/accounts/2fa/recovery-codes/",
    "/accounts/2fa/totp/deactivate/",
    "/accounts/2fa/webauthn/",
    "/accounts/2fa/webauthn/add/",
]
LOOKS: dict[str, dict[str, Any]] = {
    "light desk": {"color_scheme": "light", "viewport": {"width": 1440, "height": 900}},
    "dark phone": {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}},
}


def findings(window: Any, path: str) -> list[str]:
    window.goto(path)
    if "/trade/" in path:  # its line is never idle
        expect(window.page.locator("[data-live-state]")).to_have_text("Live")
        window.page.wait_for_timeout(500)
    else:
        window.page.wait_for_load_state("networkidle")
    window.page.evaluate(AXE.read_text())
    result = window.page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
    return [f"{path} {each['id']}: {node['html'][:160]}" for each in result["violations"] for node in each["nodes"]]


def asked_for(exchange: Any, user_id: int) -> tuple[str, str]:
    """The pages of a withdrawal that waits for its mail: its own, and the one that the mail leads to. Its address is listed."""
    exchange.price("BTC", 1_000)
    address_book.add(user_id=user_id, network="bitcoin", address=THEIRS, label="Mine", now=timezone.now())
    view = exchange.ask_withdrawal(user_id, THEIRS, "0.01")
    return f"/wallet/withdrawals/{view.id}/", exchange.withdrawal_link()


@pytest.mark.parametrize("look", LOOKS)
def test_nobody_is_shut_out(exchange: Any, visitor: Callable[..., Any], look: str) -> None:
    name = f"axe-{look.split()[0]}"
    user_id = exchange.customer(name, btc=10**8, factor=True)
    withdrawal, link = asked_for(exchange, user_id)
    # The policy forbids scripts put in from outside, so this window, and only this one, does without it.
    stranger, customer = visitor(bypass_csp=True, **LOOKS[look]), visitor(bypass_csp=True, **LOOKS[look])
    customer.log_in(name)
    customer.confirm(name, "/wallet/withdraw/BTC/")
    found = [each for path in [*PUBLIC, link] for each in findings(stranger, path)]
    found += [each for path in [*PRIVATE, withdrawal] for each in findings(customer, path)]
    assert found == []
    stranger.complaints[:] = [each for each in stranger.complaints if "404" not in each]


def test_axe_does_find_what_is_wrong(visitor: Callable[..., Any]) -> None:
    window = visitor(bypass_csp=True)
    window.goto("/markets/")
    window.page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=x><input>')")
    window.page.evaluate(AXE.read_text())
    result = window.page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
    assert {"image-alt", "label"} <= {each["id"] for each in result["violations"]}
    window.complaints.clear()
