"""Amounts and links as the back office shows them: decimal text with the asset's code, an address where there is a page.

What must never happen here: a link to a page that the reader has no right to open.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from exchange.assets import selectors as assets
from exchange.core import amounts


def grouped(digits: str) -> str:
    """Thousands apart, so that a million is read at a glance."""
    whole, point, rest = digits.partition(".")
    return f"{int(whole):,}{point}{rest}"


class Units:
    """Turns base units into text; the assets are read once a page."""

    def __init__(self) -> None:
        self._assets = {asset.id: asset for asset in assets.assets(enabled_only=False)}

    def code(self, asset_id: int) -> str:
        asset = self._assets.get(asset_id)
        return asset.code if asset else f"#{asset_id}"

    def text(self, asset_id: int, units: int, *, signed: bool = False) -> str:
        """Such as "0.5 BTC"; with its sign where asked for."""
        asset = self._assets.get(asset_id)
        digits = grouped(amounts.format(abs(units), decimals=asset.decimals)) if asset else str(abs(units))
        sign = "−" if units < 0 else "+" if signed and units > 0 else ""
        return f"{sign}{digits} {self.code(asset_id)}"


def page(request: HttpRequest, right: str, name: str, *args: Any, **query: Any) -> str:
    """The address of a staff page, or "" where the reader may not open it."""
    if not request.user.has_perm(right):
        return ""
    address = reverse(f"admin:{name}", args=args)
    return f"{address}?{urlencode(query)}" if query else address


def row_page(request: HttpRequest, model: str, pk: Any) -> str:
    """The page of one row, such as "wallets.deposit"."""
    app, _, name = model.partition(".")
    return page(request, f"{app}.view_{name}", f"{app}_{name}_change", pk)


def list_page(request: HttpRequest, model: str, **query: Any) -> str:
    """A list, narrowed."""
    app, _, name = model.partition(".")
    return page(request, f"{app}.view_{name}", f"{app}_{name}_changelist", **query)
