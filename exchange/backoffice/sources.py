"""What caused a transfer: from its kind and its reference to the page of the deposit, withdrawal, trade or bank transfer.

What must never happen here: a guess shown as a cause. Where the reference names nothing we know, there is no link.
"""

from __future__ import annotations

import re
from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import gettext as _

from exchange.backoffice.words import page

_TRADE = re.compile(r"trade ([0-9]{1,16})")
_CHAIN = re.compile(r"[a-z0-9-]{1,20}:((?:0x)?[0-9a-f]{64})(?::.*)?")


def of(request: HttpRequest, *, kind: str, reference: str) -> tuple[str, str]:
    """Words for the cause and its address ("" without one)."""
    if match := _TRADE.fullmatch(reference):
        return _("Trade %(number)s") % {"number": match[1]}, page(
            request, "trading.view_trade", "trading_trade_change", match[1]
        )
    if match := _CHAIN.fullmatch(reference):
        return _("Transaction on the chain"), page(
            request, "wallets.view_trace", "wallets_trace_changelist", q=match[1]
        )
    if kind.startswith("bank"):
        return _("Bank transfer"), page(request, "fiat.view_bankdeposit", "fiat_bankdeposit_changelist", q=reference)
    if _is_uuid(reference):
        return _("Coins on their way"), page(request, "wallets.view_trace", "wallets_trace_changelist", q=reference)
    return "", ""


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
