"""Staff give customers their levels and set what a level allows; every save is one call of a service, with a reason.

What must never happen here: a raw save.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextInputWidget

from exchange.audit import services as audit
from exchange.core import amounts
from exchange.core.errors import DomainError
from kyc import selectors
from kyc.kinds import KINDS, PERIODS, TITLES, WINDOWS
from kyc.models import Customer, Level
from kyc.services import levels

_FIELDS = {f"{kind}_{seconds}": (kind, seconds) for kind in KINDS for seconds in WINDOWS}


class _Setting(forms.ModelForm):
    """Why limits are changed, and the one call that changes them."""

    reason = forms.CharField(
        max_length=levels.REASON_LENGTH_MAX, widget=UnfoldAdminTextInputWidget, help_text="Goes to the audit."
    )
    request: HttpRequest

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
        """Sets them here, so that a refusal is shown beside the field at fault."""
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
            levels.set_limits(
                level=self.level.number,
                amounts=wished,
                reason=data["reason"],
                actor_id=self.request.user.id,  # type: ignore[union-attr]
                origin=audit.origin_of(self.request),
                now=timezone.now(),
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
        """The form has set them."""

    def log_change(self, request: HttpRequest, obj: Level, message: Any) -> Any:
        """The audit has it, with before and after."""


@admin.register(Customer)
class CustomerAdmin(ModelAdmin):
    list_display = ["user_id", "level", "reason", "changed_at"]
    list_filter = ["level"]
    list_select_related = ["level"]
    search_fields = ["=user_id"]
    fields = ["user_id", "level", "reason"]

    def get_form(self, request: HttpRequest, obj: Customer | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.base_fields["reason"].required = True
        return form

    def get_readonly_fields(self, request: HttpRequest, obj: Customer | None = None) -> list[str]:
        return ["user_id"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Customer | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Customer, form: Any, change: bool) -> None:
        levels.assign(
            user_id=obj.user_id,
            level=obj.level_id,
            reason=obj.reason,
            actor_id=request.user.id,  # type: ignore[union-attr]
            origin=audit.origin_of(request),
            now=timezone.now(),
        )
