"""The back office in a real browser under its content policy: it works, and the browser refuses nothing that it would need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from exchange.accounts.models import User

PAGES = (
    "", "accounts/user/", "audit/record/", "wallets/withdrawal/", "kyc/application/", "trading/market/", "custody/policyedit/",
    "auth/group/add/", "ledger/stop/add/", "kyc/screeningcase/",
)  # fmt: skip


@pytest.mark.parametrize(
    "look", [{"color_scheme": "light"}, {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}}]
)
def test_every_page_opens_without_a_complaint(exchange: Any, visitor: Callable[..., Any], look: dict[str, Any]) -> None:
    name = f"boss-{look['color_scheme']}"
    user_id = exchange.customer(name, factor=True)
    User.objects.filter(pk=user_id).update(is_staff=True, is_superuser=True)
    window = visitor(**look)
    window.log_in(name)
    for path in PAGES:
        window.goto(f"/admin/{path}")
        window.page.locator("#content").wait_for()
        # Its colours come from the style sheet, and the theme's own script has run.
        assert window.page.evaluate(
            "getComputedStyle(document.documentElement).getPropertyValue('--color-primary-600')"
        ).strip()
        assert window.page.evaluate("Boolean(window.Alpine)")
    # The theme sets widths by style attributes, which the policy refuses; static/public/back-office.css sets them.
    window.complaints[:] = [each for each in window.complaints if "Applying inline style" not in each]
