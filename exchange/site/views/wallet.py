"""Wallet pages: balances, worth over time, deposits. They need no script; with one, parts of them refresh themselves."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exchange.accounts import preferences
from exchange.assets import display
from exchange.assets.selectors import AssetView
from exchange.site import qr
from exchange.site.selectors import portfolio, worth
from exchange.site.services import deposits


def _currency(request: HttpRequest) -> AssetView:
    return display.currency(preferences.of(request.user).currency)


def _over_time(request: HttpRequest, total: int, currency: AssetView, now: datetime) -> worth.OverTime:
    return worth.over_time(
        user_id=request.user.pk, range=request.GET.get("range", ""), total=total, currency=currency, now=now
    )


@login_required
@require_safe
@never_cache
def overview(request: HttpRequest) -> HttpResponse:
    now, currency = timezone.now(), _currency(request)
    found = portfolio.of(user_id=request.user.pk, currency=currency, now=now)
    over = _over_time(request, found.total, currency, now)
    return render(request, "site/wallet.html", {"portfolio": found, "over": over})


@login_required
@require_safe
@never_cache
def overview_live(request: HttpRequest) -> HttpResponse:
    found = portfolio.of(user_id=request.user.pk, currency=_currency(request), now=timezone.now())
    return render(request, "site/parts/wallet_live.html", {"portfolio": found})


@login_required
@require_safe
@never_cache
def worth_plot(request: HttpRequest) -> HttpResponse:
    """The plot alone, for another range."""
    now, currency = timezone.now(), _currency(request)
    total = portfolio.total(user_id=request.user.pk, currency=currency, now=now)
    return render(request, "site/parts/worth_plot.html", {"over": _over_time(request, total, currency, now)})


@login_required
@require_safe
@never_cache
def deposit(request: HttpRequest, asset: str) -> HttpResponse:
    network = request.GET.get("network") or None
    page = deposits.open_page(user_id=request.user.pk, asset=asset, network=network, now=timezone.now())
    code = qr.svg(page.address.uri) if page.address else ""
    return render(request, "site/deposit.html", {"page": page, "qr": code, "deposits": page.deposits})


@login_required
@require_safe
@never_cache
def deposit_live(request: HttpRequest, asset: str) -> HttpResponse:
    found = deposits.recent(user_id=request.user.pk, asset=asset)
    return render(request, "site/parts/deposits.html", {"deposits": found, "asset": asset})
