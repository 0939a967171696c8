"""The trade page. What is live on it comes over the websocket; what it needs to draw itself is printed here."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from exchange.core import amounts
from exchange.site.selectors import markets

INTERVALS = ("1m", "5m", "15m", "1h", "4h", "1d")
MORE_INTERVALS = ("1s", "30m", "12h", "1w", "1M")


@require_safe
def first(request: HttpRequest) -> HttpResponse:
    return redirect("site:trade", symbol=markets.first_symbol())


@require_safe
@ensure_csrf_cookie
def market(request: HttpRequest, symbol: str) -> HttpResponse:
    if symbol != symbol.upper():
        return redirect("site:trade", symbol=symbol.upper())
    screen = markets.screen(symbol=symbol, user_id=request.user.pk, now=timezone.now())
    shown = {
        "screen": screen,
        "facts": _facts(request, screen),
        "intervals": INTERVALS,
        "more_intervals": MORE_INTERVALS,
    }
    return render(request, "site/trade.html", shown)


def _facts(request: HttpRequest, screen: markets.TradeScreen) -> dict[str, Any]:
    """What the page's script needs to know of this market, as strings and small integers."""
    market = screen.market
    return {
        "siteName": settings.SITE_NAME,
        "symbol": market.symbol,
        "base": market.base,
        "quote": market.quote,
        "baseDecimals": market.base_decimals,
        "quoteDecimals": market.quote_decimals,
        "priceDecimals": market.price_decimals,
        "quantityDecimals": market.quantity_decimals,
        "tickSize": market.tick_size,
        "lotSize": market.lot_size,
        "makerFee": screen.fees.maker_fee,
        "takerFee": screen.fees.taker_fee,
        "state": market.state,
        "last": screen.row.last,
        "minNotional": market.min_notional,
        "slippage": market.slippage,
        "signedIn": request.user.is_authenticated,
        "deposits": {code: reverse("site:deposit", args=[code]) for code in screen.depositable},
        "available": {purse.code: amounts.format(purse.available, decimals=purse.decimals) for purse in screen.purses},
    }
