"""Staff give customers their levels and set what a level allows; every save is one call of a service, with a reason.

What must never happen here: a raw save, or a high level that one person gives.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminTextInputWidget

from exchange.audit import services as audit
from exchange.core import amounts
from exchange.core.errors import DomainError
from exchange.proposals.desk import PROPOSED, propose, why
from kyc import proposing, selectors
from kyc.kinds import KINDS, PERIODS, TITLES, WINDOWS
from kyc.models import Customer, Level, LevelProposal
from kyc.services import levels, raising

_FIELDS = {f"{kind}_{seconds}": (kind, seconds) for kind in KINDS for seconds in WINDOWS}


class _Setting(forms.ModelForm):
    """Why limits are to change, and the wish itself: somebody else has to approve it."""

    reason = why()
    request: HttpRequest
    proposal = 0

    class Meta:
        model = Level
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.level = next(view for view in selectors.levels() if view.number == self.instance.pk)
        for name, key in _FIELDS.items():
            limit = self.level.limits[key]
            self.fields[name].initial = "" if limit is None else amounts.format(limit, decimals=self.level.decimals)
            self.fields[name].help_text = f"{self.level.currency}; empty: no limit."

    def clean(self) -> dict[str, Any]:
        """Proposes them here, so that a refusal is shown beside the field at fault."""
        data = super().clean() or {}
        wished = {}
        for name, key in _FIELDS.items():
            text = (data.get(name) or "").strip()
            try:
                wished[key] = amounts.parse(text, decimals=self.level.decimals) if text else None
            except DomainError as error:
                self.add_error(name, error.message)
        if self.errors:
            return data
        try:
            self.proposal = propose(
                self.request, "kyc.limits", f"level:{self.level.number}", proposing.after(wished), data["reason"]
            )
        except DomainError as error:
            self.add_error(error.param if error.param in self.fields else None, error.message)
        return data


def _entry(kind: str, seconds: int) -> forms.CharField:
    return forms.CharField(
        required=False,
        label=f"{TITLES[kind]}, any {PERIODS[seconds]}",
        max_length=30,
        widget=UnfoldAdminTextInputWidget,
    )


# Every limit of a level as decimal text, empty for none.
LimitsForm = type("LimitsForm", (_Setting,), {name: _entry(*key) for name, key in _FIELDS.items()})


@admin.register(Level)
class LevelAdmin(ModelAdmin):
    form = LimitsForm
    list_display = ["number", "code", "name", "limits_changed_at"]
    readonly_fields = ["number", "code", "name", "limits_changed_at"]
    fieldsets = [
        (None, {"fields": ["number", "code", "name", "limits_changed_at"]}),
        *[(TITLES[kind], {"fields": [tuple(f"{kind}_{seconds}" for seconds in WINDOWS)]}) for kind in KINDS],
        ("Why", {"fields": ["reason"]}),
    ]

    def get_form(self, request: HttpRequest, obj: Level | None = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["fields"] = []
        form = super().get_form(request, obj, change=change, **kwargs)
        form.request = request
        return form

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Level | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Level, form: Any, change: bool) -> None:
        """The form has proposed them."""

    def log_change(self, request: HttpRequest, obj: Level, message: Any) -> Any:
        """The audit has it, with before and after."""

    def response_change(self, request: HttpRequest, obj: Level) -> HttpResponse:
        self.message_user(request, str(PROPOSED), messages.WARNING)
        return redirect("admin:kyc_level_changelist")


class _Deed(forms.ModelForm):
    """One call of a service by the member of staff who sent the form; a refusal is shown in it."""

    request: HttpRequest

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors:
            try:
                self.act(data)
            except DomainError as refused:
                self.add_error(refused.param if refused.param in self.fields else None, refused.message)
        return data

    def act(self, data: dict[str, Any]) -> None:
        raise NotImplementedError

    def by(self) -> dict[str, Any]:
        return {
            "actor_id": int(self.request.user.pk or 0), "origin": audit.origin_of(self.request), "now": timezone.now()
        }  # fmt: skip


class GiveForm(_Deed):
    """A level by hand."""

    proposal: LevelProposal | None = None

    def validate_unique(self) -> None:
        """Whoever has a row, and the service has made one by now, is given his level as well."""

    def act(self, data: dict[str, Any]) -> None:
        user_id = data.get("user_id") or self.instance.pk
        self.proposal = raising.give(user_id=user_id, level=data["level"].number, reason=data["reason"], **self.by())


class DecideForm(_Deed):
    """What the second person says."""

    decision = forms.ChoiceField(
        choices=[("confirm", "Give the level"), ("refuse", "Refuse")], widget=UnfoldAdminRadioSelectWidget
    )
    why = forms.CharField(
        label="Why it is refused",
        max_length=levels.REASON_LENGTH_MAX,
        required=False,
        widget=UnfoldAdminTextInputWidget,
    )

    class Meta:
        model = LevelProposal
        fields: list[str] = []

    def act(self, data: dict[str, Any]) -> None:
        if data["decision"] == "confirm":
            raising.confirm(proposal_id=self.instance.pk, **self.by())
        else:
            raising.refuse(proposal_id=self.instance.pk, reason=data["why"], **self.by())


class Done(ModelAdmin):
    """The form has called its service when these are reached, and the audit has what it did."""

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        pass

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> None:
        pass

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> None:
        pass


@admin.register(Customer)
class CustomerAdmin(Done):
    form = GiveForm
    list_display = ["user_id", "level", "reason", "changed_at"]
    list_filter = ["level"]
    list_select_related = ["level"]
    search_fields = ["=user_id"]
    fields = ["user_id", "level", "reason"]

    def get_form(self, request: HttpRequest, obj: Customer | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.request = request
        if "reason" in form.base_fields:
            form.base_fields["reason"].required = True
        return form

    def get_readonly_fields(self, request: HttpRequest, obj: Customer | None = None) -> list[str]:
        return ["user_id"] if obj else []

    def save_model(self, request: HttpRequest, obj: Customer, form: Any, change: bool) -> None:
        """Django goes on to say that it was saved; this says what is still needed."""
        if form.proposal is not None:
            said = "This level needs two people: it is proposed, and given once somebody else has confirmed it."
            self.message_user(request, said, messages.WARNING)


@admin.register(LevelProposal)
class LevelProposalAdmin(Done):
    list_display = ["id", "user_id", "level", "standing", "proposed_by", "proposed_at", "decided_by", "decided_at"]
    list_select_related = ["level"]
    search_fields = ["=user_id"]
    show_full_result_count = False
    shown: ClassVar[list[str]] = [
        "user_id", "before", "level", "reason", "proposed_by", "proposed_at", "standing", "decided_by", "decided_at", "refusal",
    ]  # fmt: skip

    @admin.display(description="State")
    def standing(self, row: LevelProposal) -> str:
        return {None: "waits for somebody else", True: "confirmed", False: "refused"}[row.confirmed]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: LevelProposal | None = None) -> bool:
        """To decide is a change; what was decided is only looked at."""
        return super().has_change_permission(request, obj) and (obj is None or obj.confirmed is None)

    def get_form(
        self, request: HttpRequest, obj: LevelProposal | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is not None and not self.has_change_permission(request, obj):
            return super().get_form(request, obj, change, **kwargs)
        return type("Form", (DecideForm,), {"request": request})

    def get_fields(self, request: HttpRequest, obj: LevelProposal | None = None) -> Any:
        return [*self.shown, "decision", "why"] if self.has_change_permission(request, obj) else self.shown

    def get_readonly_fields(self, request: HttpRequest, obj: LevelProposal | None = None) -> Any:
        return self.shown
