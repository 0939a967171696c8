"""The page of trading fees: what a customer pays now, by which volume, and from which volume on it would be less."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exchange.site.selectors import fees as desk


@login_required
@never_cache
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    assert request.user.pk is not None
    return render(request, "site/fees.html", {"board": desk.board(user_id=request.user.pk, now=timezone.now())})
