"""The account's front page: where everything about the account is, and what is to be done next."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exchange.accounts import preferences
from exchange.assets import display
from exchange.site.selectors import security


@login_required
@require_safe
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    context = {
        "board": security.board(user_id=request.user.pk, session_key=request.session.session_key, now=now),
        "currency": display.currency(preferences.of(request.user).currency),
    }
    return render(request, "site/account.html", context)
