"""What every page knows without asking: the site's name, whether this is the demo, the reader's theme.

Runs for each page, so it may not query anything by itself; `bell` asks where its part is printed.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from exchange.site import bell

_SECTIONS = {
    "home": "home", "markets": "markets", "trade": "trade", "trade_first": "trade", "wallet": "wallet", "deposit": "wallet",
    "withdraw": "wallet", "withdrawal": "wallet", "confirm_withdrawal": "wallet", "addresses": "wallet", "history": "wallet",
    "statements": "wallet", "bank": "wallet",
    "orders": "orders",
}  # fmt: skip


def site(request: HttpRequest) -> dict[str, Any]:
    match = getattr(request, "resolver_match", None)
    theme = request.COOKIES.get("theme", "")
    return {
        "site_name": settings.SITE_NAME,
        "site_languages": settings.LANGUAGES,
        "demo": settings.DEMO,
        "theme": theme if theme in ("light", "dark") else "",
        "section": _SECTIONS.get(match.url_name, "") if match and match.namespace == "site" else "",
        "has_mfa": _stands("mfa_index"),
        "social_configured": bool(settings.SOCIALACCOUNT_PROVIDERS),
        **bell.context(request),
    }


def _stands(name: str) -> bool:
    try:
        reverse(name)
    except NoReverseMatch:
        return False
    return True
