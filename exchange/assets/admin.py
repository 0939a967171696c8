"""Staff list assets, set networks' limits and fees, and see the rates. Ids and decimals are fixed once made."""

from django.contrib import admin
from django.utils import timezone
from unfold.admin import ModelAdmin

from exchange.assets.models import Asset, AssetNetwork, Network, Rate, RateHistory
from exchange.audit import services as audit


class AuditedAdmin(ModelAdmin):
    """Each change is written to the audit with what was there before. Nothing is deleted: rows are switched off."""

    def has_delete_permission(self, request, obj=None):
        return False

    def save_model(self, request, obj, form, change):
        before = {name: str(form.initial.get(name)) for name in form.changed_data} if change else None
        super().save_model(request, obj, form, change)
        audit.record(
            actor_id=request.user.id,
            action=f"{obj._meta.model_name}.{'change' if change else 'add'}",
            subject=f"{obj._meta.model_name}:{obj.pk}",
            before=before,
            after={name: str(form.cleaned_data.get(name)) for name in form.changed_data},
            origin=audit.origin_of(request),
            now=timezone.now(),
        )


@admin.register(Asset)
class AssetAdmin(AuditedAdmin):
    list_display = ["id", "code", "name", "kind", "decimals", "position", "enabled"]

    def get_readonly_fields(self, request, obj=None):
        return ["id", "code", "kind", "decimals"] if obj else []


@admin.register(Network)
class NetworkAdmin(AuditedAdmin):
    list_display = ["id", "code", "name", "family", "own_coin", "standard", "block_seconds"]
    list_select_related = ["own_coin"]

    def get_readonly_fields(self, request, obj=None):
        return ["id", "code", "family"] if obj else []


@admin.register(AssetNetwork)
class AssetNetworkAdmin(AuditedAdmin):
    list_display = ["asset", "network", "contract", "confirmations", "confirmations_large", "withdrawal_fee", "enabled"]
    list_select_related = ["asset", "network"]

    def get_readonly_fields(self, request, obj=None):
        # A contract is set by the command, which checks it against the chain's own rules.
        return ["asset", "network", "decimals", "contract"] if obj else ["contract"]


class SeenOnly(ModelAdmin):
    """A page to look at."""

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


@admin.register(Rate)
class RateAdmin(SeenOnly):
    list_display = ["asset", "price", "as_of", "source"]
    list_select_related = ["asset"]


@admin.register(RateHistory)
class RateHistoryAdmin(SeenOnly):
    list_display = ["asset", "price", "as_of", "source"]
    list_filter = ["asset", "source"]
    list_select_related = ["asset"]
    show_full_result_count = False
