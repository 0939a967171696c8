"""Pages for everybody: the front page and the state of the service."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from exchange.site.selectors import health, markets
from exchange.site.selectors import incidents as incidents_desk


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    rows = markets.board(now=timezone.now(), user_id=request.user.pk)
    return render(request, "site/home.html", {"rows": rows, "movers": markets.movers(rows)})


@require_safe
def status(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    context = {
        "board": health.board(now=now),
        "going_on": incidents_desk.going_on(),
        "recent": incidents_desk.recent(now=now),
    }
    return render(request, "site/status.html", context)


@require_safe
def status_live(request: HttpRequest) -> HttpResponse:
    context = {"board": health.board(now=timezone.now()), "going_on": incidents_desk.going_on()}
    return render(request, "site/parts/status_board.html", context)


@require_safe
def incidents(request: HttpRequest) -> HttpResponse:
    """Everything that ever did not work, a page at a time."""
    text = request.GET.get("before", "")
    before = int(text) if text.isascii() and text.isdigit() and len(text) < 17 else None
    return render(request, "site/incidents.html", {"page": incidents_desk.history(before=before)})
