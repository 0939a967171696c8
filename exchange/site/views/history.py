"""The page of all that a customer did: by kind, asset and day. A plain page with a form that needs no script."""

from __future__ import annotations

from datetime import date

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exchange.site.selectors import records


@login_required
@never_cache
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Whatever is wrong in the address is as if it were not there."""
    kind = request.GET.get("kind", "")
    wanted = records.Wanted(
        kind=kind if kind in records.KINDS else records.KINDS[0],
        asset=request.GET.get("asset", "")[:12].upper(),
        since=day(request.GET.get("from", "")),
        until=day(request.GET.get("to", "")),
        before=request.GET.get("before", "")[:36],
    )
    found = records.history(user_id=request.user.pk, wanted=wanted)
    return render(request, "site/history.html", {"page": found, "wanted": wanted})


def day(text: str) -> date | None:
    """A day as a date field sends it; None for anything else, and for what no calendar of ours reaches."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if 2000 <= found.year <= 2200 else None
