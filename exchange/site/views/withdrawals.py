"""Pages about coins on their way out: ask, look over, confirm, follow, cancel. All of them work without a script.

What must never happen here: a GET that confirms or cancels (mail scanners and browsers open links by themselves), or a request
at a fee that was not looked over.
"""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from exchange.accounts.second_factors import stepping
from exchange.accounts.services import pauses
from exchange.core import amounts
from exchange.core.errors import DomainError
from exchange.site import progress
from exchange.site.forms import WithdrawForm
from exchange.site.said import said
from exchange.site.selectors import withdrawals as desk
from wallets import selectors as wallets
from wallets.services import confirming, quoting, withdrawals

_NOT_NOW = (
    confirming.ConfirmationUsed,
    confirming.ConfirmationOver,
    quoting.AccountFrozen,
    pauses.WithdrawalsPaused,
)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@stepping.required
def withdraw(request: HttpRequest, asset: str) -> HttpResponse:
    """Three steps in one address: the form, the same values to look over, and the request itself."""
    terms = desk.terms(user_id=request.user.pk, asset=asset, now=timezone.now())
    if request.method != "POST":
        return _form_page(request, terms, WithdrawForm(terms))
    form = WithdrawForm(terms, data=request.POST)
    if not form.is_valid() or request.POST.get("step") == "edit":
        return _form_page(request, terms, form)
    changed = ""
    if request.POST.get("step") == "confirm":
        try:
            made = withdrawals.request(
                user_id=request.user.pk, asset=asset, now=timezone.now(), **_wanted(form), fee=form.cleaned_data["fee"],
                idempotency_key=form.cleaned_data["idempotency_key"],
            )  # fmt: skip
            return redirect("site:withdrawal", withdrawal_id=made.id)
        except quoting.FeeChanged as error:
            changed = error.message
        except DomainError as error:
            form.blame(error)
            return _form_page(request, terms, form)
    try:
        quote = quoting.quote(user_id=request.user.pk, asset=asset, now=timezone.now(), **_wanted(form))
    except DomainError as error:
        form.blame(error)
        return _form_page(request, terms, form)
    hidden = {**form.cleaned_data, "fee": amounts.format(quote.fee, decimals=quote.decimals)}
    context = {"terms": terms, "hidden": hidden, "quote": quote, "link": terms.link(quote.network), "changed": changed}
    return render(request, "site/withdraw_review.html", context)


def _wanted(form: WithdrawForm) -> dict[str, str]:
    return {name: form.cleaned_data[name] for name in ("network", "address", "amount")}


def _form_page(request: HttpRequest, terms: desk.Terms, form: WithdrawForm) -> HttpResponse:
    chosen = form["network"].value()
    route = next((route for route in terms.routes if route.link.network == chosen), terms.routes[0])
    context = {"terms": terms, "form": form, "route": route, "link": route.link}
    return render(request, "site/withdraw.html", context, status=400 if form.errors else 200)


@login_required
@require_safe
@never_cache
def withdrawal(request: HttpRequest, withdrawal_id: UUID) -> HttpResponse:
    found = wallets.withdrawal(request.user.pk, withdrawal_id)
    return render(request, "site/withdrawal.html", {"withdrawal": found, "steps": progress.of_withdrawal(found)})


@login_required
@require_safe
@never_cache
def withdrawal_live(request: HttpRequest, withdrawal_id: UUID) -> HttpResponse:
    found = wallets.withdrawal(request.user.pk, withdrawal_id)
    context = {"withdrawal": found, "steps": progress.of_withdrawal(found)}
    return render(request, "site/parts/withdrawal.html", context)


@login_required
@require_POST
def cancel(request: HttpRequest, withdrawal_id: UUID) -> HttpResponse:
    try:
        withdrawals.cancel(user_id=request.user.pk, withdrawal_id=withdrawal_id, now=timezone.now())
    except DomainError as error:
        messages.error(request, said(error))
    else:
        messages.success(request, _("Withdrawal cancelled. The amount and the fee are available again."))
    return redirect("site:withdrawal", withdrawal_id=withdrawal_id)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Where the link in the e-mail leads. Looking changes nothing; the button confirms.

    Nobody has to be logged in here: whoever has the link has the mailbox, and often on another device.
    """
    refused = ""
    if request.method == "POST":
        try:
            confirming.confirm(token=token, now=timezone.now())
        except _NOT_NOW as error:
            refused = error.message
    found = confirming.look(token=token, now=timezone.now())
    context = {"confirmation": found, "withdrawal": found.withdrawal, "refused": refused}
    return render(request, "site/withdrawal_confirm.html", context, status=409 if refused else 200)
