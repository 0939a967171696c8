"""A customer's orders, as a plain page that needs no script: what is open, what is done, and cancelling."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST, require_safe

from exchange.core.errors import DomainError
from exchange.site.said import said
from exchange.site.selectors import orders
from trading.services import orders as trading_orders


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    wanted = orders.Wanted.of(request.GET.dict())
    found = orders.page(user_id=request.user.pk, wanted=wanted)
    return render(request, "site/orders.html", {"page": found, "wanted": wanted, "states": orders.STATES})


@login_required
@require_POST
def cancel(request: HttpRequest, order_id: int) -> HttpResponse:
    """Cancels, then shows the list again; an order that was already done is said to be so."""
    try:
        trading_orders.cancel_sync(user_id=request.user.pk, order_id=order_id, now=timezone.now())
    except DomainError as error:
        messages.error(request, said(error))
    else:
        messages.success(request, gettext("Order cancelled. What it held is available again."))
    return redirect("site:orders")


@login_required
@require_POST
def cancel_all(request: HttpRequest) -> HttpResponse:
    """All of one market, where one is named."""
    market = request.POST.get("market") or None
    try:
        count = trading_orders.cancel_all_sync(user_id=request.user.pk, market=market, now=timezone.now())
    except DomainError as error:
        messages.error(request, said(error))
    else:
        words = ngettext("%(count)s order cancelled.", "%(count)s orders cancelled.", count)
        messages.success(request, words % {"count": count})
    return redirect("site:orders")
