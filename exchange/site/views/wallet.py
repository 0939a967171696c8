"""Wallet pages: balances, deposit, withdraw. All of them work without a script; parts refresh themselves where there is one."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from exchange.core.errors import DomainError
from exchange.site import progress, qr
from exchange.site.forms import WithdrawForm
from exchange.site.selectors import portfolio
from exchange.site.selectors import withdrawals as desk
from exchange.site.services import deposits
from wallets import selectors as wallets
from wallets.services import withdrawals


@login_required
@require_safe
@never_cache
def overview(request: HttpRequest) -> HttpResponse:
    found = portfolio.of(user_id=request.user.pk, now=timezone.now())
    return render(request, "site/wallet.html", {"portfolio": found})


@login_required
@require_safe
@never_cache
def overview_live(request: HttpRequest) -> HttpResponse:
    found = portfolio.of(user_id=request.user.pk, now=timezone.now())
    return render(request, "site/parts/portfolio.html", {"portfolio": found})


@login_required
@require_safe
@never_cache
def deposit(request: HttpRequest, asset: str) -> HttpResponse:
    network = request.GET.get("network") or None
    page = deposits.open_page(user_id=request.user.pk, asset=asset, network=network, now=timezone.now())
    code = qr.svg(page.address.uri) if page.address else ""
    return render(request, "site/deposit.html", {"page": page, "qr": code, "deposits": page.deposits})


@login_required
@require_safe
@never_cache
def deposit_live(request: HttpRequest, asset: str) -> HttpResponse:
    found = deposits.recent(user_id=request.user.pk, asset=asset)
    return render(request, "site/parts/deposits.html", {"deposits": found, "asset": asset})


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: HttpRequest, asset: str) -> HttpResponse:
    """Three steps in one address: the form, the same values to look over, and the request itself."""
    terms = desk.terms(user_id=request.user.pk, asset=asset, now=timezone.now())
    if request.method != "POST":
        return _withdraw_page(request, terms, WithdrawForm(terms))
    form = WithdrawForm(terms, data=request.POST)
    if not form.is_valid() or request.POST.get("step") == "edit":
        return _withdraw_page(request, terms, form)
    try:
        if request.POST.get("step") == "confirm":
            made = withdrawals.request(
                user_id=request.user.pk,
                asset=asset,
                network=form.cleaned_data["network"],
                address=form.cleaned_data["address"],
                amount=form.cleaned_data["amount"],
                idempotency_key=form.cleaned_data["idempotency_key"],
                now=timezone.now(),
            )
            return redirect("site:withdrawal", withdrawal_id=made.id)
        quote = desk.quote(
            terms=terms,
            network=form.cleaned_data["network"],
            address=form.cleaned_data["address"],
            amount=form.cleaned_data["amount"],
            now=timezone.now(),
        )
    except DomainError as error:
        form.blame(error)
        return _withdraw_page(request, terms, form)
    return render(request, "site/withdraw_review.html", {"terms": terms, "form": form, "quote": quote})


def _withdraw_page(request: HttpRequest, terms: desk.Terms, form: WithdrawForm) -> HttpResponse:
    chosen = form["network"].value()
    link = next((link for link in terms.links if link.network == chosen), terms.links[0])
    status = 400 if form.errors else 200
    return render(request, "site/withdraw.html", {"terms": terms, "form": form, "link": link}, status=status)


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
def cancel_withdrawal(request: HttpRequest, withdrawal_id: UUID) -> HttpResponse:
    try:
        withdrawals.cancel(user_id=request.user.pk, withdrawal_id=withdrawal_id, now=timezone.now())
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, "Withdrawal cancelled. The amount and the fee are available again.")
    return redirect("site:withdrawal", withdrawal_id=withdrawal_id)
