"""Staff look at the book here, and set and lift stops with a reason. Nothing that was posted can be touched.

What must never happen here: a form that writes a model of this room; what is done goes through the services.
"""

from __future__ import annotations

from django import forms
from django.contrib import admin
from django.utils import timezone
from unfold.admin import ModelAdmin, TabularInline
from unfold.paginator import InfinitePaginator
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from exchange.ledger.models import Account, Batch, Entry, Freeze, Hold, Stop, Transfer
from exchange.ledger.services import stops


class Looking:
    """A page to look at: no adding, no changing, no deleting; no count of a table that only grows."""

    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


@admin.register(Account)
class AccountAdmin(Looking, ModelAdmin):
    list_display = ["id", "kind", "asset_id", "owner_id", "label", "balance", "held", "frozen"]
    list_filter = ["kind", "asset_id", "frozen"]
    search_fields = ["=id", "=owner_id"]
    ordering = ["-id"]


class Entries(Looking, TabularInline):
    model = Entry
    fields = ["id", "account_id", "amount"]
    readonly_fields = ["id", "account_id", "amount"]
    ordering = ["id"]


@admin.register(Transfer)
class TransferAdmin(Looking, ModelAdmin):
    list_display = ["id", "uuid", "kind", "reference", "posted_at", "batch_id"]
    search_fields = ["=id"]
    ordering = ["-id"]
    inlines = [Entries]


@admin.register(Entry)
class EntryAdmin(Looking, ModelAdmin):
    list_display = ["id", "transfer_id", "account_id", "amount"]
    search_fields = ["=account_id"]
    fields = ["id", "transfer_id", "account_id", "amount"]
    ordering = ["-id"]


@admin.register(Batch)
class BatchAdmin(Looking, ModelAdmin):
    list_display = ["id", "writer_id", "seq", "transfers", "posted_at", "chain"]
    fields = ["id", "writer_id", "seq", "first_transfer_id", "last_transfer_id", "transfers", "posted_at", "chain"]
    ordering = ["-id"]

    @admin.display(description="hash")
    def chain(self, batch: Batch) -> str:
        return bytes(batch.hash).hex()


@admin.register(Hold)
class HoldAdmin(Looking, ModelAdmin):
    list_display = ["id", "account_id", "amount", "state", "reference", "created_at", "expires_at"]
    list_filter = ["state"]
    search_fields = ["=account_id"]
    ordering = ["-id"]  # made in the order of time, most of them


@admin.register(Freeze)
class FreezeAdmin(Looking, ModelAdmin):
    list_display = ["id", "owner_id", "source", "reason", "created_at", "lifted_at", "lifted_reason"]
    search_fields = ["=owner_id"]
    ordering = ["-id"]


class StopForm(forms.ModelForm):
    """A new stop: of what, and why."""

    scope = forms.ChoiceField(choices=[(scope, scope) for scope in stops.SCOPES], widget=UnfoldAdminSelectWidget)
    asset = forms.RegexField(
        r"^[A-Z0-9]{1,16}$",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="The code of one asset, to stop its withdrawals alone; empty for all.",
    )
    reason = forms.CharField(max_length=stops.REASON_CHARACTERS_MAX, widget=UnfoldAdminTextInputWidget)

    class Meta:
        model = Stop
        fields = ["scope", "reason"]

    def clean(self):
        data = super().clean()
        if data.get("asset"):
            if data.get("scope") != "withdrawals":
                raise forms.ValidationError("Only withdrawals are stopped of one asset alone.")
            data["scope"] = f"withdrawals:{data['asset']}"
        return data


class LiftForm(forms.ModelForm):
    """Why a stop may be lifted now."""

    lifted_reason = forms.CharField(
        label="Lift it, because", max_length=stops.REASON_CHARACTERS_MAX, widget=UnfoldAdminTextInputWidget
    )

    class Meta:
        model = Stop
        fields = ["lifted_reason"]


@admin.register(Stop)
class StopAdmin(ModelAdmin):
    """Stops are set and lifted here, each with a reason that the audit keeps."""

    list_display = ["id", "scope", "source", "reason", "created_at", "lifted_at", "lifted_reason"]
    list_filter = ["scope"]
    ordering = ["-id"]

    def get_form(self, request, obj=None, change=False, **kwargs):
        return super().get_form(request, obj, change, **{**kwargs, "form": LiftForm if obj else StopForm})

    def get_fields(self, request, obj=None):
        if obj is None:
            return ["scope", "asset", "reason"]
        return ["scope", "source", "reason", "actor_id", "created_at", "lifted_at", "lifted_by", "lifted_reason"]

    def get_readonly_fields(self, request, obj=None):
        return ["scope", "source", "reason", "actor_id", "created_at", "lifted_at", "lifted_by"] if obj else []

    def has_change_permission(self, request, obj=None):
        return super().has_change_permission(request, obj) and (obj is None or obj.lifted_at is None)

    def has_delete_permission(self, request, obj=None):
        return False

    def save_model(self, request, obj, form, change):
        if change:
            stops.lift(
                stop_id=obj.id, reason=form.cleaned_data["lifted_reason"], actor=request.user.id, now=timezone.now()
            )
            return
        obj.id = stops.stop(
            scope=form.cleaned_data["scope"], reason=form.cleaned_data["reason"], actor=request.user.id,
            source=f"staff:{request.user.id}", now=timezone.now(),
        )  # fmt: skip
