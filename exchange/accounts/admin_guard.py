"""Staff see which accounts their owners froze or closed, and open them again: by name, with a reason, never their own.

What must never happen here: a row changed past its service, or deleted.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.utils import timezone
from unfold.admin import ModelAdmin

from exchange.accounts.models import Closure, Freeze, Pause
from exchange.accounts.services import closing, freezing
from exchange.audit import services as audit
from exchange.core.errors import DomainError


class OpeningForm(forms.ModelForm):
    """One field: why. The service is asked while the form is checked, so that its refusal stands beside the field."""

    reason = ""
    request: Any = None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        try:
            self.open_again(str(cleaned.get(self.reason, "")))
        except DomainError as error:
            raise ValidationError({self.reason: error.message}) from None
        return cleaned

    def open_again(self, why: str) -> None:
        raise NotImplementedError

    def by(self) -> dict[str, Any]:
        return {
            "user_id": self.instance.user_id,
            "actor_id": self.request.user.id,
            "origin": audit.origin_of(self.request),
            "now": timezone.now(),
        }


class LiftForm(OpeningForm):
    reason = "lift_reason"

    class Meta:
        model = Freeze
        fields = ("lift_reason",)

    def open_again(self, why: str) -> None:
        freezing.lift(reason=why, **self.by())


class ReopenForm(OpeningForm):
    reason = "reopen_reason"

    class Meta:
        model = Closure
        fields = ("reopen_reason",)

    def open_again(self, why: str) -> None:
        closing.reopen(reason=why, **self.by())


class _Shut(ModelAdmin):
    """Rows that only their service changes: everything but the reason is read, and that too once it was given."""

    show_full_result_count = False
    search_fields = ("=user_id",)
    ended = ""
    why = ""

    def has_add_permission(self, request):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        if obj is not None and getattr(obj, self.ended) is not None:
            return False
        return super().has_change_permission(request, obj)

    def get_fields(self, request, obj=None):
        return [field.name for field in self.model._meta.fields]

    def get_readonly_fields(self, request, obj=None):
        return [name for name in self.get_fields(request, obj) if name != self.why]

    def get_form(self, request, obj=None, change=False, **kwargs):
        return type(self.form.__name__, (super().get_form(request, obj, change, **kwargs),), {"request": request})

    def save_model(self, request, obj, form, change):
        """The form's service has written it."""
        obj.refresh_from_db()


@admin.register(Freeze)
class FreezeAdmin(_Shut):
    """Compare `sent_to` with the account's present address before you lift: a thief may have changed it."""

    form = LiftForm
    ended, why = "lifted_at", "lift_reason"
    list_display = ("id", "user_id", "reason", "sent_to", "frozen_at", "lifted_at", "lifted_by")
    list_filter = (("lifted_at", admin.EmptyFieldListFilter),)


@admin.register(Closure)
class ClosureAdmin(_Shut):
    form = ReopenForm
    ended, why = "reopened_at", "reopen_reason"
    list_display = ("id", "user_id", "closed_at", "reopened_at", "reopened_by")
    list_filter = (("reopened_at", admin.EmptyFieldListFilter),)


@admin.register(Pause)
class PauseAdmin(ModelAdmin):
    """Why somebody's withdrawals wait, for support to read."""

    list_display = ("id", "user_id", "reason", "began_at", "until", "lifted_at")
    search_fields = ("=user_id",)
    show_full_result_count = False

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False
