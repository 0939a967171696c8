"""The back office's pages on which staff act: a form to begin something, and deeds on what stands, each one call of a service.

What must never happen here: a row written by a form, a deed that a link alone can do (each is a POST with its token), or a
refusal that is not shown in its own words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse

from exchange.core.errors import DomainError
from wallets.admin_base import ReadOnly


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that may be done to a row. `act` takes the row's id, the actor's, and the form's data; what it returns is told

    to the person, or sent as it is when it is a response (a download).
    """

    label: str
    act: Callable[[Any, int, dict[str, Any]], str | HttpResponse]
    form: type[forms.Form] = forms.Form
    help: str = ""
    strong: bool = False
    dangerous: bool = False


class BeginForm(forms.ModelForm):
    """A form whose data go to a service; `begin` returns the new row's id."""

    request: ClassVar[HttpRequest]
    # The field at which a refusal is shown, by the refusal's own word for it.
    shown_at: ClassVar[Mapping[str, str]] = {}

    def begin(self, data: dict[str, Any], actor_id: int) -> Any:
        raise NotImplementedError

    def clean(self) -> dict[str, Any]:
        """Does it here, so that a refusal stands beside the field at fault."""
        data = super().clean() or {}
        if self.errors:
            return data
        try:
            self.instance.pk = self.begin(data, int(self.request.user.pk or 0))
        except DomainError as refused:
            named = self.shown_at.get(refused.param or "", refused.param)
            self.add_error(named if named in self.fields else None, refused.message)
        return data


class DeedAdmin(ReadOnly):
    """Rows that are begun with `begin_form` and changed by `deeds`; nothing is edited."""

    begin_form: ClassVar[type[BeginForm] | None] = None
    deeds: ClassVar[Mapping[str, Deed]] = {}
    change_form_outer_before_template = "wallets/admin/deeds.html"

    def open_deeds(self, row: Any) -> Sequence[str]:
        """The names of the deeds that make sense for a row now."""
        return ()

    def has_deed_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.begin_form is not None and bool(
            request.user.has_perm(f"{self.opts.app_label}.add_{self.opts.model_name}")
        )

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is not None or self.begin_form is None:
            return super().get_form(request, obj, change, **kwargs)
        return type("Form", (self.begin_form,), {"request": request})

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        if obj is None and self.begin_form is not None:
            return list(self.begin_form.declared_fields)
        return super().get_fields(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return super().get_readonly_fields(request, obj) if obj is not None else []

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The form has done it."""

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = dict(extra_context or {})
        row = self.get_object(request, object_id)
        if row is not None and self.has_deed_permission(request):
            context["deeds"] = [(name, self.deeds[name], self.deeds[name].form()) for name in self.open_deeds(row)]
            context["deed_url"] = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_deed", args=[row.pk])
        if row is not None:
            context |= self.case(row)
        return super().change_view(request, object_id, form_url, context)

    def case(self, row: Any) -> dict[str, Any]:
        """What else the row's page shows."""
        return {}

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_deed"
        return [path("<path:object_id>/deed/", self.admin_site.admin_view(self.deed), name=name), *super().get_urls()]

    def deed(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """One deed on one row, from its own page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_deed_permission(request):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        deed = self.deeds.get(request.POST.get("deed", ""))
        if row is None or deed is None:
            raise Http404
        form = deed.form(request.POST, request.FILES)
        if not form.is_valid():
            for name, errors in form.errors.items():
                self.message_user(request, f"{name}: {' '.join(errors)}", messages.ERROR)
            return self._back(row)
        try:
            done = deed.act(row.pk, int(request.user.pk or 0), form.cleaned_data)
        except DomainError as refused:
            self.message_user(request, refused.message, messages.ERROR)
            return self._back(row)
        if isinstance(done, HttpResponse):
            return done
        self.message_user(request, done, messages.SUCCESS)
        return self._back(row)

    def _back(self, row: Any) -> HttpResponse:
        return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", row.pk)
