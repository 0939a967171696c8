"""The page of a customer's bank transfers: those announced, with the reference they must carry, and those that came.

What must never happen here: a change by GET, or a word that money came before the books say so.
"""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from exchange.core.errors import DomainError
from exchange.fiat.services import deposits
from exchange.site.said import said
from exchange.site.selectors import bank

PAGE = 25


@login_required
@never_cache
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    cursor = request.GET.get("before", "")
    before = int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) < 19 else None
    found = bank.transfers(user_id=request.user.pk, before=before, limit=PAGE + 1)
    older = found[PAGE - 1].id if len(found) > PAGE else None
    return render(request, "site/bank.html", {"transfers": found[:PAGE], "older": older})


@login_required
@require_POST
def cancel(request: HttpRequest, transfer_id: int) -> HttpResponse:
    try:
        deposits.cancel(user_id=request.user.pk, deposit_id=transfer_id, now=timezone.now())
    except DomainError as error:
        messages.error(request, said(error))
    else:
        messages.success(request, _("The transfer is no longer expected."))
    return redirect("site:bank")
