"""The list of markets."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from exchange.site.selectors import markets


@require_safe
def board(request: HttpRequest) -> HttpResponse:
    return render(request, "site/markets.html", {"rows": markets.board(now=timezone.now())})
