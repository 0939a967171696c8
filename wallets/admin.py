"""What staff see of the chains and of coins on their way. Withdrawals, about which they decide, have a page of their own in
admin_withdrawals.py.

What must never happen here: a row edited by hand.
"""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminTextInputWidget

from wallets.admin_base import ReadOnly
from wallets.admin_cold import ColdProposalAdmin, ColdWalletAdmin, HotLevelAdmin, HotShareAdmin
from wallets.admin_deeds import Deed, DeedAdmin
from wallets.admin_find import TraceAdmin
from wallets.admin_withdrawals import WithdrawalAdmin
from wallets.models import Address, Block, Cursor, Deposit, Health, Payout, PayoutVersion, Sweep, Xpub
from wallets.services import holding

__all__ = ["ColdProposalAdmin", "ColdWalletAdmin", "HotLevelAdmin", "HotShareAdmin", "TraceAdmin", "WithdrawalAdmin"]


class ReleaseForm(forms.Form):
    """Why a held deposit may be credited whatever its customer's limit says."""

    note = forms.CharField(max_length=holding.NOTE_LENGTH_MAX, widget=UnfoldAdminTextInputWidget)


def _release(deposit_id: UUID, actor_id: int, data: dict[str, Any]) -> str:
    holding.release(deposit_id=deposit_id, actor_id=actor_id, note=data["note"], now=timezone.now())
    return "The deposit is credited."


@admin.register(Deposit)
class DepositAdmin(DeedAdmin):
    deeds: ClassVar = {
        "release": Deed(
            label="Credit it now",
            act=_release,
            form=ReleaseForm,
            help="It is held because its owner's deposit limit has no room for it. Credited, it counts against the limit.",
            strong=True,
        )
    }
    list_display = [
        "id",
        "owner_id",
        "decimal_amount",
        "network",
        "state",
        "held_for",
        "txid",
        "block_height",
        "seen_at",
    ]
    list_filter = ["state", "held_for", "network_id", "asset_id"]
    search_fields = ["=id", "txid__exact", "=owner_id", "address__address__exact"]
    list_select_related = ["address"]
    ordering = ["-id"]

    def open_deeds(self, row: Deposit) -> list[str]:
        return ["release"] if row.held_for in holding.TRIED_AGAIN else []


class Versions(TabularInline):
    model = PayoutVersion
    extra = 0
    can_delete = False
    fields = readonly_fields = ["number", "txid", "signed_at", "first_broadcast_at", "last_broadcast_at", "last_error"]

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Payout)
class PayoutAdmin(ReadOnly):
    list_display = ["id", "network", "state", "txid", "block_height", "network_fee", "created_at"]
    list_filter = ["state", "network_id"]
    search_fields = ["=id", "txid__exact"]
    ordering = ["-id"]
    inlines = [Versions]


@admin.register(Sweep)
class SweepAdmin(ReadOnly):
    list_display = [
        "id",
        "network",
        "asset",
        "address",
        "waiting",
        "outcome",
        "gas",
        "payout",
        "created_at",
        "closed_at",
    ]
    list_filter = ["outcome", "network_id", "waiting"]
    search_fields = ["=id", "address__address__exact"]
    list_select_related = ["address", "gas", "payout"]
    ordering = ["-id"]

    @admin.display(description="Asset", ordering="asset_id")
    def asset(self, sweep: Sweep) -> str:
        return str(self.assets[sweep.asset_id].code)


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
    search_fields = ["address__exact", "=owner_id"]
    ordering = ["-id"]
    exclude = ["script"]


@admin.register(Xpub)
class XpubAdmin(ReadOnly):
    list_display = ["network", "purpose", "path", "next_index", "created_at", "retired_at"]


@admin.register(Block)
class BlockAdmin(ReadOnly):
    list_display = ["height", "hash", "network", "time", "orphaned_at"]
    list_filter = ["network_id"]
    search_fields = ["hash__exact", "=height"]
    ordering = ["-id"]
