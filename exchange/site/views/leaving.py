"""The pages by which a customer takes the data along and closes the account. Both open only after a second factor was shown.

What must never happen here: another's copy handed out, a copy kept by a cache, or an account closed by a GET.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from exchange.accounts.second_factors import stepping
from exchange.accounts.services import closing, exporting
from exchange.audit import services as audit
from exchange.site.said import said
from exchange.site.selectors import security as desk


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@stepping.required
def close(request: HttpRequest) -> HttpResponse:
    """Says what is in the way, or closes at the press of the button."""
    now, refused = timezone.now(), ""
    if request.method == "POST" and request.POST.get("sure") != "yes":
        refused = _("Tick the box first.")
    elif request.method == "POST":
        try:
            closing.close(user_id=request.user.pk, origin=audit.origin_of(request), now=now)
        except (closing.AccountNotClosable, closing.AccountClosed):
            pass  # the page says why
        else:
            logout(request)
            return render(request, "site/account_closed.html")
    context = {"hindrances": closing.hindrances(user_id=request.user.pk, now=now), "refused": refused}
    return render(request, "site/account_close.html", context, status=409 if request.method == "POST" else 200)


@login_required
@require_safe
@never_cache
def export(request: HttpRequest) -> HttpResponse:
    found = desk.exports(user_id=request.user.pk, now=timezone.now())
    return render(request, "site/account_export.html", {"exports": found})


@login_required
@require_POST
@stepping.required
def request_export(request: HttpRequest) -> HttpResponse:
    try:
        exporting.request(user_id=request.user.pk, origin=audit.origin_of(request), now=timezone.now())
    except exporting.ExportTooSoon as error:
        messages.error(request, said(error))
    else:
        messages.success(request, _("We gather your data and write to you when it is there."))
    return redirect("site:export")


@login_required
@require_safe
@never_cache
@stepping.required
def download_export(request: HttpRequest, export_id: int) -> HttpResponseBase:
    """The zip, opened and sent piece by piece."""
    found = exporting.open_download(
        user_id=request.user.pk, export_id=export_id, origin=audit.origin_of(request), now=timezone.now()
    )
    # Under ASGI Django would gather all of a blocking iterator before it sends the first byte.
    body = _pieces(found) if isinstance(request, ASGIRequest) else iter(found)
    response = StreamingHttpResponse(body, content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="{found.filename}"'
    response["Content-Length"] = str(found.size)
    return response


async def _pieces(download: exporting.Download) -> AsyncIterator[bytes]:
    for number in range(download.pieces):
        yield await sync_to_async(download.piece)(number)
