"""The page of a customer's own list of addresses. Each change is one POST, and works without a script.

What must never happen here: a change by GET.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from exchange.core.errors import DomainError
from exchange.site.forms import ListedAddressForm
from exchange.site.said import said
from exchange.site.selectors import networks
from wallets.services import address_book


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """The list; a POST adds to it."""
    known = networks.usable()
    if request.method != "POST":
        return _page(request, ListedAddressForm(known))
    form = ListedAddressForm(known, data=request.POST)
    if form.is_valid():
        try:
            entry = address_book.add(user_id=request.user.pk, now=timezone.now(), **form.cleaned_data)
        except DomainError as error:
            form.blame(error)
        else:
            messages.success(
                request, _("“%(label)s” is on your list. We have told you by e-mail.") % {"label": entry.label}
            )
            return redirect("site:addresses")
    return _page(request, form)


def _page(request: HttpRequest, form: ListedAddressForm) -> HttpResponse:
    now = timezone.now()
    context = {
        "form": form,
        "entries": address_book.listing(request.user.pk, now=now),
        "mode": address_book.mode(request.user.pk, now=now),
        "cooldown_h": address_book.cooldown() // timedelta(hours=1),
    }
    return render(request, "site/addresses.html", context, status=400 if form.errors else 200)


@login_required
@require_POST
def relabel(request: HttpRequest, entry_id: int) -> HttpResponse:
    label = request.POST.get("label", "")
    return _change(
        request,
        lambda: address_book.relabel(user_id=request.user.pk, entry_id=entry_id, label=label, now=timezone.now()),
        _("The label is changed."),
    )


@login_required
@require_POST
def remove(request: HttpRequest, entry_id: int) -> HttpResponse:
    return _change(
        request,
        lambda: address_book.remove(user_id=request.user.pk, entry_id=entry_id, now=timezone.now()),
        _("The address is off your list."),
    )


@login_required
@require_POST
def set_mode(request: HttpRequest) -> HttpResponse:
    only = request.POST.get("mode") == "only"
    return _change(
        request,
        lambda: address_book.set_mode(user_id=request.user.pk, allow_list_only=only, now=timezone.now()),
        _("From now on your coins leave to addresses of your list alone.") if only else _("It will be switched off."),
    )


def _change(request: HttpRequest, change: Callable[[], object], done: str) -> HttpResponse:
    try:
        change()
    except DomainError as error:
        messages.error(request, said(error))
    else:
        messages.success(request, done)
    return redirect("site:addresses")
