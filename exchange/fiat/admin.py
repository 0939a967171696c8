"""Staff match what arrived with what was announced, and record what the bank states. Each save is one call of a service."""

from django import forms
from django.contrib import admin
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSplitDateTimeWidget, UnfoldAdminTextInputWidget

from exchange.audit import services as audit
from exchange.core.errors import DomainError
from exchange.fiat.models import BankDeposit, BankStatement
from exchange.fiat.services import deposits, statements


class MatchForm(forms.ModelForm):
    """The bank's reference and the amount that arrived, as the statement prints them."""

    bank_reference = forms.CharField(max_length=64, widget=UnfoldAdminTextInputWidget)
    arrived = forms.CharField(label="Amount that arrived", widget=UnfoldAdminTextInputWidget)

    class Meta:
        model = BankDeposit
        fields: list[str] = []

    def clean(self):
        """Settles here, so that a refusal is shown beside the field at fault."""
        data = super().clean()
        if self.errors:
            return data
        try:
            deposits.settle(
                deposit_id=self.instance.id,
                bank_reference=data["bank_reference"],
                amount=data["arrived"],
                actor_id=self.request.user.id,
                origin=audit.origin_of(self.request),
                now=timezone.now(),
            )
        except DomainError as error:
            field = {"amount": "arrived", "bank_reference": "bank_reference"}.get(error.param)
            self.add_error(field, error.message)
        return data


@admin.register(BankDeposit)
class BankDepositAdmin(ModelAdmin):
    form = MatchForm
    list_display = [
        "reference",
        "user_id",
        "announced",
        "state",
        "held_for",
        "settled",
        "bank_reference",
        "settled_by",
        "created_at",
    ]
    list_filter = ["state"]
    search_fields = ["=reference", "=bank_reference", "=user_id"]
    readonly_fields = [
        "reference",
        "user_id",
        "announced",
        "state",
        "held_for",
        "held_at",
        "settled",
        "settled_by",
        "settled_at",
    ]

    def get_fields(self, request, obj=None):
        shown = list(self.readonly_fields)
        return shown + (["bank_reference", "arrived"] if self._open(obj) else ["bank_reference"])

    def get_readonly_fields(self, request, obj=None):
        return self.readonly_fields if self._open(obj) else [*self.readonly_fields, "bank_reference"]

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change=change, **kwargs)
        form.request = request
        return form

    def has_add_permission(self, request):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return self._open(obj) and super().has_change_permission(request, obj)

    def save_model(self, request, obj, form, change):
        """The form has settled it."""

    @staticmethod
    def _open(obj):
        return obj is None or obj.state == BankDeposit.State.ANNOUNCED


class StatementForm(forms.ModelForm):
    stated = forms.CharField(label="Balance", widget=UnfoldAdminTextInputWidget)
    as_of = forms.SplitDateTimeField(widget=UnfoldAdminSplitDateTimeWidget)

    class Meta:
        model = BankStatement
        fields: list[str] = []

    def clean(self):
        data = super().clean()
        if self.errors:
            return data
        try:
            self.instance.pk = statements.record(
                balance=data["stated"], as_of=data["as_of"], actor_id=self.request.user.id, now=timezone.now()
            )
        except DomainError as error:
            self.add_error({"balance": "stated", "as_of": "as_of"}.get(error.param), error.message)
        return data


@admin.register(BankStatement)
class BankStatementAdmin(ModelAdmin):
    form = StatementForm
    list_display = ["as_of", "balance", "recorded_by", "created_at"]
    fields = ["stated", "as_of"]

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change=change, **kwargs)
        form.request = request
        return form

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def save_model(self, request, obj, form, change):
        """The form has recorded it."""
