"""Staff list assets, set networks' limits and fees, two by two, and see the rates. Ids and decimals are fixed once made."""

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import models
from django.forms.models import BaseInlineFormSet
from unfold.admin import ModelAdmin, TabularInline

from exchange.assets.models import Asset, AssetNetwork, ConfirmationTier, Network, Rate, RateHistory
from exchange.assets.services import catalogue
from exchange.proposals.desk import ProposedAdmin, why


class ProposedRow(ProposedAdmin):
    """Each change is proposed, and made when somebody else has approved it. Nothing is deleted: rows are switched off."""

    def get_form(self, request, obj=None, change=False, **kwargs):
        """The model's own form, and why."""
        return super().get_form(request, obj, change, **{**kwargs, "form": ReasonedForm})

    def get_fields(self, request, obj=None):
        fields = [field.name for field in self.model._meta.fields if field.editable and not field.auto_created]
        return [*fields, "reason"]

    def get_readonly_fields(self, request, obj=None):
        fixed = catalogue.FIXED[self.opts.model_name]
        return [name for name in fixed if obj is not None or name == "contract"]

    def wish(self, obj, form, formsets, change):
        table = self.opts.model_name
        fields = {field.name: field for field in self.model._meta.concrete_fields}
        values = {
            name: _plain(form.cleaned_data[name])
            for name in (form.changed_data if change else form.fields)
            if name in fields
        }
        for each in formsets:
            if each.has_changed():
                values[catalogue.TIERS] = _tiers(each)
        if change:
            return f"{table}.change", f"{table}:{obj.pk}", values
        return f"{table}.add", f"{table}_new:{_known_by(table, values)}", values


class ReasonedForm(forms.ModelForm):
    reason = why()


def _plain(value):
    """Rows by their id; the rest is a number, a word or yes and no."""
    return value.pk if isinstance(value, models.Model) else value


def _tiers(formset):
    kept = [data for data in formset.cleaned_data if data and not data.get("DELETE")]
    return sorted([str(data["from_amount"]), data["confirmations"]] for data in kept)


def _known_by(table, values):
    return f"{values['asset']} on {values['network']}" if table == "assetnetwork" else values["code"]


@admin.register(Asset)
class AssetAdmin(ProposedRow):
    list_display = ["id", "code", "name", "kind", "decimals", "position", "enabled"]


@admin.register(Network)
class NetworkAdmin(ProposedRow):
    list_display = ["id", "code", "name", "family", "own_coin", "standard", "block_seconds", "finalized"]
    list_select_related = ["own_coin"]


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


@admin.register(AssetNetwork)
class AssetNetworkAdmin(ProposedRow):
    list_display = ["asset", "network", "contract", "confirmations", "withdrawal_fee", "enabled"]
    list_select_related = ["asset", "network"]
    inlines = [Tiers]


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
