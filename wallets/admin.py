"""What staff see of coins on their way, and the two things they may decide: approve and reject.

What must never happen here: a row edited by hand. Every change goes through a service, which locks, checks and records it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminTextInputWidget

from exchange.assets import selectors as assets
from exchange.core import amounts
from exchange.core.errors import DomainError
from wallets import routes
from wallets.models import (
    Address,
    Block,
    Cursor,
    Deposit,
    Health,
    Payout,
    PayoutVersion,
    Withdrawal,
    WithdrawalStep,
    Xpub,
)
from wallets.services import withdrawals


class ReasonForm(ActionForm):
    """Beside the choice of the action: why a withdrawal is rejected. The customer is shown it."""

    reason = forms.CharField(required=False, max_length=200, widget=UnfoldAdminTextInputWidget)


class ReadOnly(ModelAdmin):
    """A page to look at; what stands in it is shown in codes and decimal amounts, not in ids and base units."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # Read once a page, not once a row. Every thread writes the same: codes and decimals never change.
        self.codes = routes.codes()
        self.assets = {asset.id: asset for asset in assets.assets(enabled_only=False)}
        return super().get_queryset(request)

    @admin.display(description="Network", ordering="network_id")
    def network(self, row: Any) -> str:
        return self.codes.get(row.network_id, "")

    @admin.display(description="Amount", ordering="amount")
    def decimal_amount(self, row: Any) -> str:
        asset = self.assets[row.asset_id]
        return f"{amounts.format(row.amount, decimals=asset.decimals)} {asset.code}"


class Steps(TabularInline):
    model = WithdrawalStep
    extra = 0
    can_delete = False
    fields = readonly_fields = ["state", "at", "note"]
    ordering = ["id"]

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Withdrawal)
class WithdrawalAdmin(ReadOnly):
    list_display = ["id", "owner_id", "decimal_amount", "network", "address", "state", "waiting", "requested_at"]
    list_filter = ["state", "waiting", "network_id", "asset_id"]
    search_fields = ["=id", "=owner_id", "=address", "=payout__txid"]
    ordering = ["-id"]
    inlines = [Steps]
    actions = ["approve", "reject"]
    action_form = ReasonForm

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("wallets.change_withdrawal"))

    @admin.action(description="Approve", permissions=["decide"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Withdrawal]) -> None:
        def one(withdrawal: Withdrawal) -> None:
            withdrawals.approve(withdrawal_id=withdrawal.id, actor_id=request.user.pk, now=timezone.now())

        self._each(request, queryset, one, done="approved")

    @admin.action(description="Reject, and give the money back", permissions=["decide"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Withdrawal]) -> None:
        reason = request.POST.get("reason", "").strip()
        if not reason:
            self.message_user(request, "Give a reason: the customer is shown it.", messages.ERROR)
            return

        def one(withdrawal: Withdrawal) -> None:
            withdrawals.reject(withdrawal_id=withdrawal.id, actor_id=request.user.pk, reason=reason, now=timezone.now())

        self._each(request, queryset, one, done="rejected")

    def _each(
        self, request: HttpRequest, rows: QuerySet[Withdrawal], act: Callable[[Withdrawal], None], *, done: str
    ) -> None:
        """One transaction a withdrawal: one that is refused holds up no other."""
        count = 0
        for withdrawal in rows.order_by("id"):
            try:
                act(withdrawal)
                count += 1
            except DomainError as refused:
                self.message_user(request, f"{withdrawal.id}: {refused.message}", messages.ERROR)
        if count:
            self.message_user(request, f"{count} {done}.", messages.SUCCESS)


@admin.register(Deposit)
class DepositAdmin(ReadOnly):
    list_display = ["id", "owner_id", "decimal_amount", "network", "state", "txid", "block_height", "seen_at"]
    list_filter = ["state", "network_id", "asset_id"]
    search_fields = ["=id", "=txid", "=owner_id", "=address__address"]
    list_select_related = ["address"]
    ordering = ["-id"]


class Versions(TabularInline):
    model = PayoutVersion
    extra = 0
    can_delete = False
    fields = readonly_fields = ["number", "txid", "signed_at", "first_broadcast_at", "last_broadcast_at", "last_error"]

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Payout)
class PayoutAdmin(ReadOnly):
    list_display = ["id", "network", "state", "txid", "block_height", "network_fee", "created_at"]
    list_filter = ["state", "network_id"]
    search_fields = ["=id", "=txid"]
    ordering = ["-id"]
    inlines = [Versions]


@admin.register(Health)
class HealthAdmin(ReadOnly):
    list_display = ["network", "tip_height", "scanned", "checked_at", "last_ok_at", "last_error", "halted"]
    ordering = ["network_id"]

    @admin.display(description="Scanned")
    def scanned(self, health: Health) -> int | None:
        return Cursor.objects.filter(network_id=health.network_id).values_list("height", flat=True).first()

    @admin.display(description="Halted")
    def halted(self, health: Health) -> str:
        return Cursor.objects.filter(network_id=health.network_id).values_list("halted", flat=True).first() or ""


@admin.register(Address)
class AddressAdmin(ReadOnly):
    list_display = ["address", "network", "purpose", "owner_id", "reference", "created_at"]
    list_filter = ["purpose", "network_id"]
    search_fields = ["=address", "=owner_id"]
    ordering = ["-id"]
    exclude = ["script"]


@admin.register(Xpub)
class XpubAdmin(ReadOnly):
    list_display = ["network", "purpose", "path", "next_index", "created_at", "retired_at"]


@admin.register(Block)
class BlockAdmin(ReadOnly):
    list_display = ["height", "hash", "network", "time", "orphaned_at"]
    list_filter = ["network_id"]
    search_fields = ["=hash", "=height"]
    ordering = ["-id"]
