"""The ledger's explorer: the book by asset and kind, the accounts behind a sum, each entry of an account, each transfer whole
with what caused it; from any of them down and up again.

What must never happen here: a page that writes, or one that gets slower with the book.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from unfold.admin import ModelAdmin

from exchange.backoffice import sources
from exchange.backoffice.models import Book
from exchange.backoffice.words import Units, page
from exchange.ledger import selectors as ledger
from exchange.ledger.journal import Kind
from exchange.ledger.selectors import exploring

TOTALS_S = 60  # the sums over all customers are of the last minute: they read every account
TOTALS_KEY = "backoffice:book:totals"
KINDS = {
    "customer": "Customers",
    "receivable": "Owed to us by customers",
    "house_fees": "Fees taken",
    "house_spread": "Spread",
    "house_capital": "Capital",
    "house_network_fees": "Network fees paid",
    "house_rebates": "Rebates paid",
    "suspense": "Suspense",
    "chain_wallet": "Coins on chains",
    "bank": "Bank",
}


class OnlyLooked(ModelAdmin):
    """Pages without rows of their own."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> None:
        """There are no rows; Django's own pages of one lead back."""

    def look(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def show(self, request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
        given = {**self.admin_site.each_context(request), "title": title, "opts": self.opts, **context}
        response = TemplateResponse(request, template, given)
        response["Cache-Control"] = "no-store, private"
        return response


@admin.register(Book)
class BookAdmin(OnlyLooked):
    def get_urls(self) -> list[URLPattern]:
        def wrap(view: Any) -> Any:
            return self.admin_site.admin_view(require_safe(view))

        return [
            path("accounts/", wrap(self.accounts), name="backoffice_book_accounts"),
            path("account/<int:account_id>/", wrap(self.account), name="backoffice_book_account"),
            path("transfer/<int:transfer_id>/", wrap(self.transfer), name="backoffice_book_transfer"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The whole book in one table, and a door for a number, an id or a customer."""
        self.look(request)
        word = request.GET.get("q", "").strip()
        if word and (found := self._find(request, word)):
            return found
        units = Units()
        totals = cache.get_or_set(TOTALS_KEY, _totals, TOTALS_S)
        assets = sorted({asset_id for (asset_id, _kind), amount in totals.items() if amount})
        rows = [
            (
                label, kind,
                [(asset, units.text(asset, totals[asset, kind]) if (asset, kind) in totals else "") for asset in assets],
            )
            for kind, label in KINDS.items()
            if any((asset, kind) in totals for asset in assets)
        ]  # fmt: skip
        sums = [sum(amount for (asset, _k), amount in totals.items() if asset == wanted) for wanted in assets]
        return self.show(
            request, "backoffice/book.html", _("Ledger explorer"), rows=rows, word=word, nothing=bool(word),
            codes=[units.code(asset) for asset in assets],
            sums=[units.text(asset, amount) for asset, amount in zip(assets, sums, strict=True)],
            off=any(sums), seconds=TOTALS_S,
        )  # fmt: skip

    def _find(self, request: HttpRequest, word: str) -> HttpResponse | None:
        if word.isascii() and word.isdigit() and len(word) < 19:
            return redirect(f"{reverse('admin:backoffice_book_accounts')}?owner={int(word)}")
        try:
            number = exploring.number_of(UUID(word))
        except ValueError:
            return None
        return None if number is None else redirect("admin:backoffice_book_transfer", number)

    def accounts(self, request: HttpRequest) -> HttpResponse:
        """The accounts behind a sum, or a customer's."""
        self.look(request)
        kind = request.GET.get("kind", "")
        wanted = {name: _number(request.GET.get(name)) for name in ("asset", "owner", "before")}
        found = exploring.accounts(
            kind=kind if kind in KINDS else "",
            asset_id=wanted["asset"],
            owner_id=wanted["owner"],
            before=wanted["before"],
        )
        more = found[exploring.PAGE - 1].id if len(found) > exploring.PAGE else None
        units = Units()
        title = KINDS.get(kind) or (
            _("Customer %(number)s") % {"number": wanted["owner"]} if wanted["owner"] else _("Accounts")
        )
        query = request.GET.copy()
        query["before"] = str(more)
        return self.show(
            request, "backoffice/book_accounts.html", title,
            rows=[(row, units.text(row.asset_id, row.balance), units.text(row.asset_id, row.held), KINDS[row.kind])
                  for row in found[: exploring.PAGE]],
            more=query.urlencode() if more else "",
        )  # fmt: skip

    def account(self, request: HttpRequest, account_id: int) -> HttpResponse:
        """One balance, what waits on it, and every entry that made it, the newest first."""
        self.look(request)
        row = exploring.account(account_id)
        if row is None:
            raise Http404
        units, before = Units(), _number(request.GET.get("before"))
        lines = ledger.history(account_id=account_id, before=before, limit=exploring.PAGE + 1)
        shown = lines[: exploring.PAGE]
        return self.show(
            request, "backoffice/book_account.html", _("Account %(number)s") % {"number": account_id},
            account=row, kind=KINDS[row.kind], balance=units.text(row.asset_id, row.balance),
            held=units.text(row.asset_id, row.held), free=units.text(row.asset_id, row.balance - row.held),
            holds=[(each, units.text(row.asset_id, each.amount)) for each in exploring.holds(account_id)] if not before else [],
            lines=[
                (each, units.text(row.asset_id, each.amount, signed=True),
                 *sources.of(request, kind=each.kind, reference=each.reference))
                for each in shown
            ],
            more=shown[-1].id if len(lines) > exploring.PAGE else None,
            story=page(request, "backoffice.view_story", "backoffice_story_change", row.owner_id) if row.owner_id else "",
        )  # fmt: skip

    def transfer(self, request: HttpRequest, transfer_id: int) -> HttpResponse:
        """A transfer whole: its entries sum to nothing for each asset, and it stands in a chain of hashes."""
        self.look(request)
        posted = exploring.posted(transfer_id)
        if posted is None:
            raise Http404
        units = Units()
        words, address = sources.of(request, kind=posted.kind, reference=posted.reference)
        sums: dict[int, int] = {}
        for each in posted.entries:
            sums[each.account.asset_id] = sums.get(each.account.asset_id, 0) + each.amount
        return self.show(
            request, "backoffice/book_transfer.html", _("Transfer %(number)s") % {"number": transfer_id},
            transfer=posted, cause=words, cause_page=address,
            lines=[(each, units.text(each.account.asset_id, each.amount, signed=True), KINDS[each.account.kind])
                   for each in posted.entries],
            sums=[units.text(asset_id, amount) for asset_id, amount in sorted(sums.items())],
            batch=page(request, "ledger.view_batch", "ledger_batch_change", posted.batch_id),
        )  # fmt: skip


def _totals() -> dict[tuple[int, str], int]:
    return {(row.asset_id, Kind(row.kind).value): row.balance for row in ledger.totals()}


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None
