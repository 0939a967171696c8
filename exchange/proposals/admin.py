"""What waits for a second person, as a difference: what stands, what is to stand, who wishes it and why.

Proposals are made on the pages of what they change. What must never happen here: a row edited by hand, or an approval that a
link alone gives.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import display

from exchange.audit import services as audit
from exchange.core.errors import DomainError
from exchange.proposals import registry, selectors, services
from exchange.proposals.models import Proposal

COLOURS = {"waiting": "warning", "applied": "success", "refused": "danger", "unknown": "danger"}


class WaitingFilter(admin.SimpleListFilter):
    """What waits, unless something else is asked for."""

    title = gettext_lazy("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("decided", gettext_lazy("Decided")), ("all", gettext_lazy("All"))]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        return [{**first, "display": _("Waiting")}, *others]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "all":
            return queryset
        return queryset.exclude(outcome="") if self.value() == "decided" else queryset.filter(outcome="")


@admin.register(Proposal)
class ProposalAdmin(ModelAdmin):
    list_display = ["id", "what", "subject", "standing", "proposed_by", "proposed_at", "decided_by", "decided_at"]
    list_filter = [WaitingFilter]
    search_fields = ["=id", "=subject"]
    ordering = ["-id"]
    show_full_result_count = False
    list_per_page = 50
    change_form_outer_before_template = "proposals/admin/proposal.html"
    fields = readonly_fields = ["what", "about", "state", "decided_by", "decided_at", "refusal"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """They are made where what they change is shown."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=gettext_lazy("Change"))
    def what(self, row: Proposal) -> str:
        found = registry.find(row.kind)
        return str(found.title) if found else row.kind

    @display(description=gettext_lazy("State"), label=COLOURS)
    def standing(self, row: Proposal) -> tuple[str, Any]:
        if selectors.lapsed(row, now=timezone.now()):
            return "refused", gettext_lazy("Waited for too long")
        return row.outcome or "waiting", row.get_outcome_display()

    @admin.display(description=gettext_lazy("State"))
    def state(self, row: Proposal) -> str:
        return str(self.standing(row)[1])

    @admin.display(description=gettext_lazy("About"))
    def about(self, row: Proposal) -> str:
        return row.subject

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = dict(extra_context or {})
        row = self.get_object(request, object_id)
        found = registry.find(row.kind) if row is not None else None
        if row is not None and found is not None and request.user.has_perm(found.right):
            context["proposal_lines"] = found.lines(row.before, row.after, row.subject)
            waits = row.outcome == "" and self._may_decide(request)
            own = row.proposed_by == request.user.pk
            concerned = found.about(row.subject) == request.user.pk
            context |= {
                "proposal": row,
                "proposal_own": waits and own,
                "proposal_may_approve": waits
                and not own
                and not concerned
                and not selectors.lapsed(row, now=timezone.now()),
                "proposal_may_refuse": waits and not concerned,
                "proposal_url": reverse("admin:proposals_proposal_decide", args=[row.pk]),
            }
        response = super().change_view(request, object_id, form_url, context)
        response["Cache-Control"] = "no-store, private"
        return response

    def _may_decide(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("proposals.change_proposal"))

    def get_urls(self) -> list[URLPattern]:
        decide = self.admin_site.admin_view(self.decide)
        return [path("<int:proposal_id>/decide/", decide, name="proposals_proposal_decide"), *super().get_urls()]

    def decide(self, request: HttpRequest, proposal_id: int) -> HttpResponse:
        """One person's yes or no, by a POST from the proposal's own page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        verb = request.POST.get("verb", "")
        if verb not in ("approve", "refuse") or not self._may_decide(request):
            raise PermissionDenied
        who: dict[str, Any] = {
            "proposal_id": proposal_id, "actor_id": int(request.user.pk or 0), "origin": audit.origin_of(request),
            "now": timezone.now(),
        }  # fmt: skip
        try:
            if verb == "approve":
                services.approve(**who)
                self.message_user(request, _("Approved. It is in force now."), messages.SUCCESS)
            else:
                services.refuse(reason=request.POST.get("reason", ""), **who)
                self.message_user(request, _("Refused. Nothing changes."), messages.SUCCESS)
        except DomainError as refused:
            self.message_user(request, refused.message, messages.ERROR)
        return redirect("admin:proposals_proposal_change", proposal_id)
