"""What staff see of the chains and of coins on their way. Withdrawals, about which they decide, have a page of their own in
admin_withdrawals.py.

What must never happen here: a row edited by hand.
"""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from unfold.admin import TabularInline

from wallets.admin_base import ReadOnly
from wallets.admin_cold import ColdProposalAdmin, ColdWalletAdmin, HotLevelAdmin, HotShareAdmin
from wallets.admin_find import TraceAdmin
from wallets.admin_withdrawals import WithdrawalAdmin
from wallets.models import Address, Block, Cursor, Deposit, Health, Payout, PayoutVersion, Sweep, Xpub

__all__ = ["ColdProposalAdmin", "ColdWalletAdmin", "HotLevelAdmin", "HotShareAdmin", "TraceAdmin", "WithdrawalAdmin"]


@admin.register(Deposit)
class DepositAdmin(ReadOnly):
    list_display = ["id", "owner_id", "decimal_amount", "network", "state", "txid", "block_height", "seen_at"]
    list_filter = ["state", "network_id", "asset_id"]
    search_fields = ["=id", "txid__exact", "=owner_id", "address__address__exact"]
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
