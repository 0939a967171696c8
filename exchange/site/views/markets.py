"""The list of markets, and which of them a customer has starred."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST, require_safe

from exchange.site.selectors import markets
from exchange.site.services import favourites


@require_safe
@ensure_csrf_cookie
def board(request: HttpRequest) -> HttpResponse:
    rows = markets.board(now=timezone.now(), user_id=request.user.pk)
    quotes = list(dict.fromkeys(row.quote for row in rows))
    return render(request, "site/markets.html", {"rows": rows, "quotes": quotes if len(quotes) > 1 else []})


@login_required
@require_POST
def mark(request: HttpRequest) -> HttpResponse:
    """`market`, once or more, and `wanted` yes or no. The page's script is told nothing; a plain form gets the list again."""
    favourites.mark(
        user_id=request.user.pk,
        symbols=request.POST.getlist("market"),
        wanted=request.POST.get("wanted") == "yes",
        now=timezone.now(),
    )
    return HttpResponse(status=204) if request.headers.get("X-Requested-With") else redirect("site:markets")
