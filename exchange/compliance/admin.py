"""The history of our solvency, to look at. Nothing here is made or changed by hand: the database would refuse it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from exchange.assets import selectors as assets
from exchange.compliance.models import SolvencyAsset, SolvencyLook, Verdict
from exchange.core import amounts

COLOURS = {Verdict.COVERED: "success", Verdict.SHORT: "danger", Verdict.UNKNOWN: "warning"}


class Looking:
    """No adding, no changing, no deleting."""

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


def _money(name: str, label: str) -> Any:
    @display(description=label)
    def shown(self: Any, row: SolvencyAsset) -> str:
        units = getattr(row, name)
        text = amounts.format(abs(units), decimals=assets.asset_by_id(row.asset_id).decimals)
        return f"-{text}" if units < 0 else text

    return shown


class Assets(Looking, TabularInline):
    model = SolvencyAsset
    extra = 0
    can_delete = False
    ordering = ["asset_id"]
    fields = readonly_fields = [
        "asset", "verdict", "owed_text", "seen_text", "hot_text", "cold_text", "deposit_text", "other_text", "pending_text",
        "unseen_text", "alarm",
    ]  # fmt: skip
    owed_text = _money("owed", "Owed to customers")
    seen_text = _money("seen", "Seen")
    hot_text = _money("hot", "Hot")
    cold_text = _money("cold", "Cold")
    deposit_text = _money("deposit", "Deposit addresses")
    other_text = _money("other", "Banks")
    pending_text = _money("pending", "Under way")
    unseen_text = _money("unseen", "Not looked at (by the books)")

    @display(description="Asset")
    def asset(self, row: SolvencyAsset) -> str:
        return assets.asset_by_id(row.asset_id).code


@admin.register(SolvencyLook)
class SolvencyLookAdmin(Looking, ModelAdmin):
    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50
    list_display = ["made_at", "judged", "short", "unknown", "silent"]
    list_filter = ["verdict"]
    ordering = ["-id"]
    fields = readonly_fields = ["made_at", "verdict", "silent"]
    inlines = [Assets]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("assets")

    @display(description="Verdict", label=COLOURS)
    def judged(self, row: SolvencyLook) -> tuple[str, str]:
        return row.verdict, row.get_verdict_display()

    @display(description="Short")
    def short(self, row: SolvencyLook) -> str:
        return self._codes(row, Verdict.SHORT)

    @display(description="Not fully seen")
    def unknown(self, row: SolvencyLook) -> str:
        return self._codes(row, Verdict.UNKNOWN)

    @display(description="Sources that did not answer")
    def silent(self, row: SolvencyLook) -> str:
        return ", ".join(row.unreachable)

    @staticmethod
    def _codes(row: SolvencyLook, verdict: str) -> str:
        return ", ".join(assets.asset_by_id(each.asset_id).code for each in row.assets.all() if each.verdict == verdict)
