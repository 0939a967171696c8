"""In which currencies values can be shown: national ones that we know a rate of, and Bitcoin.

A choice that lost its rate falls back to the reference currency, so that a page never shows a value of nothing. What must never
happen here: a limit or a fee counted in what somebody chose to look at.
"""

from __future__ import annotations

from django.db.models import Q
from django.utils.translation import gettext_noop

from exchange.assets import prices, selectors
from exchange.assets.models import Asset

NOT_ONLY_NATIONAL = ("BTC",)
# Names as the assets' rows have them, for the catalogues.
NAMES = (gettext_noop("US dollar"), gettext_noop("Euro"), gettext_noop("Pound sterling"), gettext_noop("Swiss franc"))


def currencies() -> list[selectors.AssetView]:
    """What may be chosen, in the order of lists. One query."""
    known = Q(code=prices.REFERENCE) | Q(rate__isnull=False)
    # National currencies are switched off: nobody holds one by looking at it.
    rows = Asset.objects.filter(known, Q(kind=Asset.Kind.FIAT) | Q(code__in=NOT_ONLY_NATIONAL, enabled=True))
    return [selectors._asset(row) for row in rows]


def currency(code: str) -> selectors.AssetView:
    """The currency of this code if values can be shown in it, else the reference currency. One query."""
    found = {each.code: each for each in currencies() if each.code in (code, prices.REFERENCE)}
    return found.get(code) or found.get(prices.REFERENCE) or selectors.asset(prices.REFERENCE)
