"""What a customer is told by which way: the choices, the browser that is before them, their devices and their telephone.

What must never happen here: a choice that switches off news about the account's safety, or a telephone number in an answer.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from exchange.audit import services as audit
from exchange.core.errors import DomainError
from exchange.notifications.services import devices, phones, preferences, testing
from exchange.site.said import said
from exchange.site.selectors import telling


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """The table of choices; each row a topic, each column a way."""
    if request.method == "POST":
        wanted = telling.choices_of(request.POST, staff=request.user.is_staff)
        preferences.choose(user_id=request.user.pk, wanted=wanted)
        messages.success(request, _("Saved."))
        return redirect("site:notification_settings")
    return render(request, "site/notification_settings.html", _context(request))


@login_required
@require_POST
def test(request: HttpRequest) -> HttpResponse:
    """Sends a message on every way that is on."""
    try:
        testing.send(user_id=request.user.pk, now=timezone.now())
    except DomainError as error:
        messages.error(request, said(error))
    else:
        messages.success(request, _("A test is on its way to you."))
    return redirect("site:notification_settings")


@login_required
@require_POST
def phone(request: HttpRequest) -> HttpResponse:
    """Asks for a code, enters it, or takes the number away."""
    given: dict[str, Any] = {"user_id": request.user.pk, "origin": audit.origin_of(request), "now": timezone.now()}
    action = request.POST.get("action", "")
    try:
        if action == "forget":
            phones.forget(**given)
            messages.success(request, _("Nothing is sent to your telephone any more."))
        elif action == "confirm":
            phones.confirm(code=request.POST.get("code", "")[:20], **given)
            messages.success(request, _("Your number is confirmed."))
        else:
            phones.begin(number=request.POST.get("number", "")[:40], **given)
            messages.success(request, _("A code is on its way to this number."))
    except DomainError as error:
        context = {**_context(request), "phone_refused": said(error), "number": request.POST.get("number", "")[:40]}
        return render(request, "site/notification_settings.html", context, status=error.status)
    return redirect("site:notification_settings")


@login_required
@require_POST
def remove_device(request: HttpRequest, device_id: int) -> HttpResponse:
    """Raises DeviceNotFound for another's."""
    devices.remove(user_id=request.user.pk, device_id=device_id, now=timezone.now())
    messages.success(request, _("Nothing is pushed to that device any more."))
    return redirect("site:notification_settings")


def _context(request: HttpRequest) -> dict[str, Any]:
    return {
        "board": telling.board(
            user_id=request.user.pk, staff=request.user.is_staff, session_key=request.session.session_key or ""
        )
    }
