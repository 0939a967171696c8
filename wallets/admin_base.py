"""The back office's page to look at: rows in codes and decimal amounts, and nothing that can be edited.

What must never happen here: a row changed by hand. What staff do goes through a service, which locks, checks and records it.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from exchange.assets import selectors as assets
from exchange.core import amounts
from wallets import routes


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
