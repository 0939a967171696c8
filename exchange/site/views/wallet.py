"""Wallet pages: balances and deposits. They work without a script; parts refresh themselves where there is one."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exchange.site import qr
from exchange.site.selectors import portfolio
from exchange.site.services import deposits


@login_required
@require_safe
@never_cache
def overview(request: HttpRequest) -> HttpResponse:
    found = portfolio.of(user_id=request.user.pk, now=timezone.now())
    return render(request, "site/wallet.html", {"portfolio": found})


@login_required
@require_safe
@never_cache
def overview_live(request: HttpRequest) -> HttpResponse:
    found = portfolio.of(user_id=request.user.pk, now=timezone.now())
    return render(request, "site/parts/portfolio.html", {"portfolio": found})


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
