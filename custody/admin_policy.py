"""The back office's page of the withdrawal policy: the rules in force in words, an edit as a difference, two people to make it.

What must never happen here: an edit that a link alone approves, or rules taken from a form without `rulebook.read`.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from custody import rulebook, rulelines, selectors
from custody.models import PolicyEdit
from custody.services import policies
from exchange.assets import selectors as assets
from exchange.audit import services as audit
from exchange.core.errors import DomainError

LINES = 40


class ProposeForm(forms.ModelForm):
    """The rules as lines of text, and why they change. The service is called here, so that its refusal stands in the form."""

    rules_text = forms.CharField(
        label="Rules, the first that matches decides",
        max_length=rulelines.TEXT_MAX,
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": LINES, "spellcheck": "false"}),
        help_text="One line a rule: “name: conditions → allow”, “→ refuse” or “→ 2 approvals”. Conditions, in any order,"
        " parted by commas: an asset or “any asset” first; “on bitcoin or ethereum”; “to listed or one-time addresses”; “asked by"
        " customer”; “above 0.5 BTC”; “more than 2 BTC by one customer within 24 hours” (or by the whole house, within one hour)."
        " What no line matches is refused.",
    )
    why = forms.CharField(
        label="Why", max_length=policies.NOTE_LENGTH_MAX, required=False, widget=UnfoldAdminTextInputWidget
    )
    request: HttpRequest

    class Meta:
        model = PolicyEdit
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = policies.known()
        rules = policies.current(now=timezone.now()).rules
        self.fields["rules_text"].initial = "\n".join(rulebook.sentence(rule, known=known) for rule in rules)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        try:
            self.instance.pk = policies.propose_edit(
                rules=rulelines.read(data["rules_text"], known=policies.known()),
                note=data["why"],
                actor_id=int(self.request.user.pk or 0),
                origin=audit.origin_of(self.request),
                now=timezone.now(),
            )
        except DomainError as refused:
            param = refused.param or ""
            place = "why" if param == "note" else "rules_text" if param.startswith("rules") else None
            rule = f" (rule {int(param.split('.')[1]) + 1})" if param.count(".") > 1 else ""
            self.add_error(place, f"{refused.message}{rule}")
        return data


@admin.register(PolicyEdit)
class PolicyEditAdmin(ModelAdmin):
    list_display = ["id", "state", "note", "proposed_by", "proposed_at", "approved_by", "in_force_at"]
    list_select_related = ["approval", "cancellation"]
    ordering = ["-id"]
    show_full_result_count = False
    list_per_page = 50
    list_before_template = "custody/admin/current.html"
    change_form_outer_before_template = "custody/admin/edit.html"
    fields = readonly_fields = ["state", "note", "proposed_by", "proposed_at", "approved_by", "in_force_at", "digest"]

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    @admin.display(description="State")
    def state(self, edit: PolicyEdit) -> str:
        return selectors.edit_state(edit, now=timezone.now())

    @admin.display(description="Approved by")
    def approved_by(self, edit: PolicyEdit) -> int | None:
        return edit.approval.approved_by if hasattr(edit, "approval") else None

    @admin.display(description="In force from")
    def in_force_at(self, edit: PolicyEdit) -> Any:
        return edit.approval.in_force_at if hasattr(edit, "approval") else None

    # --- propose ------------------------------------------------------------------------------------------------------

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is not None:
            return super().get_form(request, obj, change, **kwargs)
        return type("Form", (ProposeForm,), {"request": request})

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["rules_text", "why"] if obj is None else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [] if obj is None else self.readonly_fields

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The form has done it."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """The audit has it."""

    # --- look ---------------------------------------------------------------------------------------------------------

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        now = timezone.now()
        known, found = policies.known(), policies.current(now=now)
        named = {code for rule in found.rules for code in rule.assets or known.decimals}
        enabled = [asset.code for asset in assets.assets() if asset.kind == "crypto"]
        context = {
            "policy_version": found.version,
            "policy_rules": [rulebook.sentence(rule, known=known) for rule in found.rules],
            "policy_without_rule": [code for code in enabled if code not in named],
            "policy_open": selectors.open_edit(now=now),
        }
        return super().changelist_view(request, {**(extra_context or {}), **context})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = dict(extra_context or {})
        edit = self.get_object(request, object_id)
        if edit is not None:
            now = timezone.now()
            state = selectors.edit_state(edit, now=now)
            base = rulebook.stored(edit.base.rules) if edit.base_id else ()
            context["policy_lines"] = rulebook.difference(base, rulebook.stored(edit.rules), known=policies.known())
            own = edit.proposed_by == request.user.pk
            context["policy_may_approve"] = state == "proposed" and self._may(request, "approve") and not own
            context["policy_own"] = state == "proposed" and own
            context["policy_may_cancel"] = state in ("proposed", "waiting") and self._may(request, "cancel")
            context["policy_decide_url"] = reverse("admin:custody_policyedit_decide", args=[edit.pk])
        return super().change_view(request, object_id, form_url, context)

    # --- approve and cancel -------------------------------------------------------------------------------------------

    def _may(self, request: HttpRequest, verb: str) -> bool:
        noun = {"approve": "policyapproval", "cancel": "policycancellation"}[verb]
        return bool(request.user.has_perm(f"custody.add_{noun}"))

    def get_urls(self) -> list[URLPattern]:
        decide = self.admin_site.admin_view(self.decide)
        return [path("<int:edit_id>/decide/", decide, name="custody_policyedit_decide"), *super().get_urls()]

    def decide(self, request: HttpRequest, edit_id: int) -> HttpResponse:
        """One person's yes or no, by a POST from the edit's own page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        verb = request.POST.get("verb", "")
        if verb not in ("approve", "cancel") or not self._may(request, verb):
            raise PermissionDenied
        who: dict[str, Any] = {"actor_id": int(request.user.pk or 0), "origin": audit.origin_of(request)}
        try:
            if verb == "approve":
                at = policies.approve_edit(edit_id=edit_id, now=timezone.now(), **who)
                self.message_user(request, f"Approved. In force from {at:%Y-%m-%d %H:%M} UTC.", messages.SUCCESS)
            else:
                reason = request.POST.get("reason", "")
                policies.cancel_edit(edit_id=edit_id, reason=reason, now=timezone.now(), **who)
                self.message_user(request, "Cancelled.", messages.SUCCESS)
        except DomainError as refused:
            self.message_user(request, refused.message, messages.ERROR)
        return redirect("admin:custody_policyedit_change", edit_id)
