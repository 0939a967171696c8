"""Staff list assets, set networks' limits and fees, and see the rates. Ids and decimals are fixed once made."""

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms.models import BaseInlineFormSet
from django.utils import timezone
from unfold.admin import ModelAdmin, TabularInline

from exchange.assets.models import Asset, AssetNetwork, ConfirmationTier, Network, Rate, RateHistory
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
    list_display = ["id", "code", "name", "family", "own_coin", "standard", "block_seconds", "finalized"]
    list_select_related = ["own_coin"]

    def get_readonly_fields(self, request, obj=None):
        return ["id", "code", "family"] if obj else []


class TierForms(BaseInlineFormSet):
    """Larger deposits wait longer, or not less: a tier that falls would let a large sum in early."""

    def clean(self):
        super().clean()
        rows = [form.cleaned_data for form in self.forms if getattr(form, "cleaned_data", None)]
        kept = [row for row in rows if not row.get("DELETE") and row.get("from_amount") and row.get("confirmations")]
        least = self.instance.confirmations or 0
        for row in sorted(kept, key=lambda row: row["from_amount"]):
            if row["confirmations"] < least:
                raise ValidationError("A larger deposit must not wait for fewer confirmations than a smaller one.")
            least = row["confirmations"]


class Tiers(TabularInline):
    model = ConfirmationTier
    formset = TierForms
    fields = ["from_amount", "confirmations"]
    extra = 1


def _tiers(link):
    return [[str(tier.from_amount), tier.confirmations] for tier in ConfirmationTier.objects.filter(asset_network=link)]


@admin.register(AssetNetwork)
class AssetNetworkAdmin(AuditedAdmin):
    list_display = ["asset", "network", "contract", "confirmations", "withdrawal_fee", "enabled"]
    list_select_related = ["asset", "network"]
    inlines = [Tiers]

    def save_related(self, request, form, formsets, change):
        before = _tiers(form.instance)
        super().save_related(request, form, formsets, change)
        after = _tiers(form.instance)
        if before != after:
            audit.record(
                actor_id=request.user.id,
                action="assetnetwork.tiers",
                subject=f"assetnetwork:{form.instance.pk}",
                before={"tiers": before},
                after={"tiers": after},
                origin=audit.origin_of(request),
                now=timezone.now(),
            )

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
