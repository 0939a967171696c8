"""Pages for everybody: the front page and the state of the service."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from exchange.site.selectors import health, markets


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    return render(request, "site/home.html", {"rows": markets.board(now=timezone.now())})


@require_safe
def status(request: HttpRequest) -> HttpResponse:
    return render(request, "site/status.html", {"board": health.board(now=timezone.now())})


@require_safe
def status_live(request: HttpRequest) -> HttpResponse:
    return render(request, "site/parts/status_board.html", {"board": health.board(now=timezone.now())})
