"""The pages of a customer's API keys: the list, a new one, and its secret, shown once. They work without a script.

What must never happen here: a key made by GET or without a fresh second factor, or a secret that a cache, a history or a second
look at the page would show again.
"""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from exchange.accounts.keys import selectors, services
from exchange.accounts.second_factors import stepping
from exchange.audit import services as audit
from exchange.core.errors import DomainError
from exchange.site.forms import ApiKeyForm
from exchange.site.said import said


@login_required
@never_cache
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """All keys, those that live first."""
    found = selectors.keys(request.user.pk, now=timezone.now())
    live = sum(key.state == "live" for key in found)
    context = {"keys": found, "live": live, "most": services.KEYS_MAX, "full": live >= services.KEYS_MAX}
    return render(request, "site/api_keys.html", context)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@stepping.required
def new(request: HttpRequest) -> HttpResponse:
    """The form; a POST makes the key and shows it."""
    form = ApiKeyForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        now = timezone.now()
        try:
            made = services.create(
                user_id=request.user.pk, origin=audit.origin_of(request), now=now, **form.wanted(now=now)
            )
        except DomainError as error:
            form.blame(error)
        else:
            return render(request, "site/api_key_made.html", {"key": made.key, "secret": made.secret})
    return render(request, "site/api_key_new.html", {"form": form}, status=400 if form.errors else 200)


@login_required
@require_POST
def rename(request: HttpRequest, key_id: str) -> HttpResponse:
    try:
        label = request.POST.get("label", "")
        services.rename(user_id=request.user.pk, key_id=key_id, label=label, now=timezone.now())
    except DomainError as error:
        messages.error(request, said(error))
    else:
        messages.success(request, _("The label is changed."))
    return redirect("site:api_keys")


@login_required
@require_POST
def revoke(request: HttpRequest, key_id: str) -> HttpResponse:
    """At once, and without a second factor: whoever sees a stranger's key must not have to look for a phone."""
    try:
        services.revoke(user_id=request.user.pk, key_id=key_id, origin=audit.origin_of(request), now=timezone.now())
    except DomainError as error:
        messages.error(request, said(error))
    else:
        messages.success(request, _("The key is revoked. It opens nothing any more."))
    return redirect("site:api_keys")
