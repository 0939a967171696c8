"""How a person wants the site: the language, and the currency in which values are shown.

Read from the user that a request has loaded already: asks no database. What must never happen here: an amount that changes with a
preference; only what it is worth in words does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings


@dataclass(frozen=True, slots=True)
class Preferences:
    """`currency` is an asset's code, as the person chose it; exchange.assets.display knows whether there is a rate of it."""

    language: str
    currency: str


def of(user: Any) -> Preferences:
    """Those of a user, or of somebody who is not logged in."""
    return Preferences(
        language=getattr(user, "language", "") or settings.LANGUAGE_CODE,
        currency=getattr(user, "display_currency", "") or settings.REFERENCE_CURRENCY,
    )
