"""The page of statements of account: ask for one, see those there are, take one along. It needs no script."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from exchange.assets import selectors as assets
from exchange.audit.services import origin_of
from exchange.core.errors import DomainError
from exchange.site.said import said
from exchange.site.services import statements
from exchange.site.views.history import day

FORMATS = ("pdf", "csv")


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """The list; a POST asks for one more."""
    now = timezone.now()
    if request.method != "POST":
        return _page(request, request.GET, now)
    since, until = day(request.POST.get("from", "")), day(request.POST.get("to", ""))
    if since is None or until is None:
        return _page(request, request.POST, now, _("Choose the first and the last day."))
    try:
        statements.request(
            user_id=request.user.pk, format=request.POST.get("format", ""), asset=request.POST.get("asset", "")[:12],
            since=since, until=until, language=get_language() or "en", origin=origin_of(request), now=now,
        )  # fmt: skip
    except DomainError as error:
        return _page(request, request.POST, now, said(error))
    messages.success(request, _("Your statement is in the list."))
    return redirect("site:statements")


def _page(request: HttpRequest, typed: dict[str, str], now: datetime, wrong: str = "") -> HttpResponse:
    today = now.astimezone(UTC).date()
    known = assets.assets()
    chosen = {
        "format": typed.get("format", "") if typed.get("format") in FORMATS else FORMATS[0],
        "asset": typed.get("asset", "")[:12],
        "from": day(typed.get("from", "")) or today.replace(day=1),
        "to": day(typed.get("to", "")) or today,
    }
    context = {
        "made": statements.listing(user_id=request.user.pk, now=now),
        "codes": [each.code for each in known],
        "chosen": chosen,
        "today": today,
        "periods": _periods(today),
        "wrong": wrong,
        "kept_days": statements.KEPT.days,
    }
    return render(request, "site/statements.html", context, status=400 if wrong else 200)


def _periods(today: date) -> list[tuple[str, date, date]]:
    """Those that are asked for most, by their names."""
    first = today.replace(day=1)
    before = first - timedelta(days=1)
    year = today.replace(month=1, day=1)
    return [
        (_("This month"), first, today),
        (_("Last month"), before.replace(day=1), before),
        (_("This year"), year, today),
        (_("Last year"), year.replace(year=year.year - 1), year - timedelta(days=1)),
    ]


@login_required
@require_safe
@never_cache
def live(request: HttpRequest) -> HttpResponse:
    """The list alone, while one is being made."""
    made = statements.listing(user_id=request.user.pk, now=timezone.now())
    return render(request, "site/parts/statements.html", {"made": made, "kept_days": statements.KEPT.days})


@login_required
@require_safe
@never_cache
def download(request: HttpRequest, statement_id: int) -> HttpResponseBase:
    """The file, opened and sent piece by piece."""
    found = statements.open_download(user_id=request.user.pk, statement_id=statement_id, now=timezone.now())
    # Under ASGI Django would gather all of a blocking iterator before it sends the first byte.
    body = _pieces(found) if isinstance(request, ASGIRequest) else iter(found)
    response = StreamingHttpResponse(body, content_type=found.content_type)
    response["Content-Disposition"] = f'attachment; filename="{found.filename}"'
    response["Content-Length"] = str(found.size)
    return response


async def _pieces(found: statements.Download) -> AsyncIterator[bytes]:
    for number in range(found.pieces):
        yield await sync_to_async(found.piece)(number)
