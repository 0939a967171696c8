"""A customer's orders and history, as plain pages that need no script."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from exchange.core.errors import DomainError
from exchange.site.selectors import records
from trading.services import orders as trading_orders

KINDS = ("deposits", "withdrawals", "trades")


@login_required
@require_safe
def orders(request: HttpRequest) -> HttpResponse:
    page = records.orders(user_id=request.user.pk, before=_integer(request.GET.get("before")))
    return render(request, "site/orders.html", {"page": page})


@login_required
@require_POST
def cancel_order(request: HttpRequest, order_id: int) -> HttpResponse:
    """Cancels, then shows the list again; an order that was already done is said to be so."""
    try:
        trading_orders.cancel_sync(user_id=request.user.pk, order_id=order_id, now=timezone.now())
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, "Order cancelled. What it held is available again.")
    return redirect("site:orders")


@login_required
@require_safe
def history(request: HttpRequest) -> HttpResponse:
    kind = request.GET.get("kind", KINDS[0])
    kind = kind if kind in KINDS else KINDS[0]
    before = request.GET.get("before", "")
    page = records.history(
        user_id=request.user.pk, kind=kind, before=_integer(before) if kind == "trades" else _uuid(before)
    )
    return render(request, "site/history.html", {"page": page, "kind": kind, "kinds": KINDS})


def _integer(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 17 else None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
