"""Staff pages whose saving proposes a change instead of making it. Rooms build their own pages on this one.

What must never happen here: a row written by a form. The form's figures become a proposal, and its service makes the change.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminTextInputWidget

from exchange.audit import services as audit
from exchange.core.errors import DomainError
from exchange.proposals import services

PROPOSED = gettext_lazy("Proposed. It takes effect when somebody else has approved it.")


def why(required: bool = True) -> forms.CharField:
    """Asked for wherever something is proposed: whoever approves reads it."""
    return forms.CharField(
        label=gettext_lazy("Why"), max_length=services.REASON_LENGTH_MAX, required=required,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("Somebody else has to approve it; they are shown this."),
    )  # fmt: skip


class ReasonForm(ActionForm):
    """Beside the choice of an action that is, or may have to be, proposed."""

    reason = forms.CharField(
        label=gettext_lazy("Why"), required=False, max_length=services.REASON_LENGTH_MAX,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": gettext_lazy("Why")}),
    )  # fmt: skip


def propose(request: HttpRequest, kind: str, subject: str, after: dict[str, Any], reason: str) -> int:
    """One member of staff's wish; the proposal's id."""
    return services.propose(
        kind=kind, subject=subject, after=after, reason=reason, actor_id=int(request.user.pk or 0),
        origin=audit.origin_of(request), now=timezone.now(),
    )  # fmt: skip


class ProposedAdmin(ModelAdmin):
    """A form whose saving proposes a change. A refusal is shown on the same page, and nothing is said to be saved."""

    list_per_page = 50
    actions_on_bottom = False
    show_full_result_count = False

    def wish(self, obj: Any, form: Any, formsets: Any, change: bool) -> tuple[str, str, dict[str, Any]]:
        """The kind of proposal, its subject, and what is to stand."""
        raise NotImplementedError

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Nothing: `save_related` has everything, and comes after it."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        for each in formsets:  # Django's own log asks for these, which saving would have set
            each.new_objects, each.changed_objects, each.deleted_objects = [], [], []
        try:
            kind, subject, after = self.wish(form.instance, form, formsets, change)
            made = propose(request, kind, subject, after, form.cleaned_data["reason"])
        except DomainError as error:
            request.proposal_refused = error  # type: ignore[attr-defined]
        else:
            request.proposal_made = made  # type: ignore[attr-defined]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """One button: what is proposed is gone from the form."""
        context |= {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().render_change_form(request, context, *args, **kwargs)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The audit has it."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The audit has it."""

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return self._answered(request)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        return self._answered(request)

    def _answered(self, request: HttpRequest) -> HttpResponse:
        error: DomainError | None = getattr(request, "proposal_refused", None)
        if error is not None:
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        self.message_user(request, str(PROPOSED), messages.WARNING)
        made = request.proposal_made  # type: ignore[attr-defined]
        if not request.user.has_perm("proposals.view_proposal"):
            return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        return redirect("admin:proposals_proposal_change", made)
