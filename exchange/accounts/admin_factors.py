"""Staff reset lost factors, two by two. Factors themselves are on no staff page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from exchange.accounts.models import FactorReset
from exchange.accounts.second_factors import resets
from exchange.audit import services as audit
from exchange.core.errors import DomainError

_PLACES = {"user_id": "customer", "reason": "why"}


class _Form(forms.ModelForm):
    """The service is called here, so that its refusal stands in the form."""

    request: HttpRequest

    class Meta:
        model = FactorReset
        fields = ()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors:
            try:
                self.act(data)
            except DomainError as refused:
                self.add_error(_PLACES.get(refused.param or ""), refused.message)
        return data

    def act(self, data: dict[str, Any]) -> None:
        raise NotImplementedError

    def by(self) -> dict[str, Any]:
        return {
            "actor_id": int(self.request.user.pk or 0), "origin": audit.origin_of(self.request), "now": timezone.now()
        }  # fmt: skip


class AskForm(_Form):
    customer = forms.IntegerField(label="Customer's number", min_value=1, widget=UnfoldAdminTextInputWidget)
    why = forms.CharField(
        label="How you made sure that it is them",
        max_length=resets.REASON_LENGTH_MAX,
        widget=UnfoldAdminTextareaWidget,
        help_text="No names, numbers of documents or other personal data: the audit keeps this.",
    )

    def act(self, data: dict[str, Any]) -> None:
        self.instance.pk = resets.ask(user_id=data["customer"], reason=data["why"], **self.by())


class DecideForm(_Form):
    decision = forms.ChoiceField(
        label="Decision",
        choices=[("reset", "Take every second factor away, end every log-in and key"), ("refuse", "Refuse")],
        widget=UnfoldAdminRadioSelectWidget,
    )
    why = forms.CharField(
        label="Why it is refused", max_length=resets.REASON_LENGTH_MAX, required=False, widget=UnfoldAdminTextareaWidget
    )

    def act(self, data: dict[str, Any]) -> None:
        if data["decision"] == "reset":
            resets.carry_out(reset_id=self.instance.pk, **self.by())
        else:
            resets.refuse(reset_id=self.instance.pk, reason=data["why"], **self.by())


@admin.register(FactorReset)
class FactorResetAdmin(ModelAdmin):
    list_display = ["id", "user_id", "state", "asked_by", "asked_at", "decided_by", "decided_at"]
    search_fields = ["=user_id"]
    show_full_result_count = False
    list_per_page = 50
    shown = ["user_id", "reason", "asked_by", "asked_at", "state", "decided_by", "decided_at", "refusal"]

    @admin.display(description="State")
    def state(self, row: FactorReset) -> str:
        return {None: "waits for somebody else", True: "carried out", False: "refused"}[row.done]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Deciding is a change; what was decided is only looked at."""
        return super().has_change_permission(request, obj) and (obj is None or obj.done is None)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = AskForm if obj is None else DecideForm
        if obj is not None and not self.has_change_permission(request, obj):
            return super().get_form(request, obj, change, **kwargs)
        return type("Form", (form,), {"request": request})

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ["customer", "why"]
        return [*self.shown, "decision", "why"] if self.has_change_permission(request, obj) else self.shown

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [] if obj is None else self.shown

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The form has done it."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """The audit has it."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """The audit has it."""
