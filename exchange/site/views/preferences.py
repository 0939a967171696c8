"""How a person wants the site: the language (for guests as well) and the currency in which values are shown.

What must never happen here: a redirect to another site, or a change by GET.
"""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from exchange.accounts import preferences
from exchange.accounts.services import customers
from exchange.assets import display
from exchange.site import languages


@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """The switch at the foot of each page: kept with the customer, and in the browser for who is not logged in."""
    response = redirect(_back(request))
    wanted = request.POST.get("language", "")
    if wanted in languages.KNOWN:
        if request.user.is_authenticated:
            customers.set_language(user_id=request.user.pk, language=wanted)
        languages.remember(response, wanted)
    return response


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """Language and currency in one form. What is not on offer is left as it was."""
    currencies = display.currencies()
    if request.method == "POST":
        response = redirect("site:preferences")
        language, currency = request.POST.get("language", ""), request.POST.get("currency", "")
        if language in languages.KNOWN:
            customers.set_language(user_id=request.user.pk, language=language)
            languages.remember(response, language)
            translation.activate(language)
        if currency in {each.code for each in currencies}:
            customers.set_display_currency(user_id=request.user.pk, code=currency)
        messages.success(request, _("Saved."))
        return response
    chosen = display.currency(preferences.of(request.user).currency)
    return render(request, "site/preferences.html", {"currencies": currencies, "chosen": chosen})


def _back(request: HttpRequest) -> str:
    wanted = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if ours else reverse("site:home")
