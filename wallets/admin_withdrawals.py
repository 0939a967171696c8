"""The queue of withdrawals as staff work it: what waits, one case with its story, and what may be done to it.

Every deed is one service call with a reason. What must never happen here: a row edited by hand, or a deed that a link alone
can do (each is a POST with its token).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.admin import TabularInline
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminTextInputWidget

from exchange.core.errors import DomainError
from wallets import desk
from wallets.admin_base import ReadOnly
from wallets.chains.protocol import ChainError
from wallets.models import Withdrawal, WithdrawalApproval, WithdrawalStep
from wallets.services import approving


def _approve(withdrawal_id: UUID, actor_id: int, reason: str) -> str:
    missing = approving.approve(withdrawal_id=withdrawal_id, actor_id=actor_id, note=reason, now=timezone.now())
    return f"noted: {missing} more must agree" if missing else "approved"


def _cancel_on_chain(withdrawal_id: UUID, actor_id: int, reason: str) -> str:
    missing = approving.cancel_on_chain(
        withdrawal_id=withdrawal_id, actor_id=actor_id, reason=reason, now=timezone.now()
    )
    return f"noted: {missing} more must want it cancelled" if missing else "being cancelled on the chain"


def _done(deed: Callable[..., None], word: str) -> Callable[[UUID, int, str], str]:
    def act(withdrawal_id: UUID, actor_id: int, reason: str) -> str:
        deed(withdrawal_id=withdrawal_id, actor_id=actor_id, reason=reason, now=timezone.now())
        return word

    return act


# What staff may do, by the name in the form: each one call of one service.
DEEDS: dict[str, Callable[[UUID, int, str], str]] = {
    "approve": _approve,
    "reject": _done(approving.reject, "rejected"),
    "hold": _done(approving.hold, "held"),
    "bump": _done(approving.bump, "sent again at a higher fee"),
    "cancel_on_chain": _cancel_on_chain,
}
LABELS = {
    "approve": "Approve",
    "reject": "Reject, and give the money back",
    "hold": "Hold, and look again",
    "bump": "Send again at a higher fee",
    "cancel_on_chain": "Cancel on the chain",
}


class ReasonForm(ActionForm):
    """Beside the choice of the action. The customer is shown why a withdrawal was rejected, and nothing else of it."""

    reason = forms.CharField(required=False, max_length=500, widget=UnfoldAdminTextInputWidget)


class DeedForm(forms.Form):
    """The same on a withdrawal's own page."""

    reason = forms.CharField(required=False, max_length=500, widget=UnfoldAdminTextInputWidget)


class StuckFilter(admin.SimpleListFilter):
    """Those that wait for a block longer than usual."""

    title = "stuck in the network's queue"
    parameter_name = "stuck"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Stuck")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(desk.stuck(now=timezone.now())) if self.value() == "yes" else queryset


class Looked(TabularInline):
    """Rows beside a withdrawal; nobody adds or changes one."""

    extra = 0
    can_delete = False
    ordering: ClassVar[list[str]] = ["id"]

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class Steps(Looked):
    model = WithdrawalStep
    fields = readonly_fields = ["state", "at", "txid", "note"]


class Approvals(Looked):
    model = WithdrawalApproval
    fields = readonly_fields = ["actor_id", "at", "note"]


@admin.register(Withdrawal)
class WithdrawalAdmin(ReadOnly):
    list_display = [
        "id", "decimal_amount", "network", "state", "agreed", "waiting", "owner_id", "destination_class", "address",
        "requested_at",
    ]  # fmt: skip
    list_filter = ["state", StuckFilter, "waiting", "destination_class", "network_id", "asset_id"]
    search_fields = ["=id", "=owner_id", "=address", "=payout__txid"]
    ordering = ["-id"]
    inlines = [Approvals, Steps]
    actions = list(DEEDS)
    action_form = ReasonForm
    list_before_template = "wallets/admin/queue.html"
    change_form_outer_before_template = "wallets/admin/case.html"

    @admin.display(description="Agreed")
    def agreed(self, row: Withdrawal) -> str:
        return f"{row.approvals.count()} of {row.approvals_needed}" if row.approvals_needed else ""

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("wallets.change_withdrawal"))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {**(extra_context or {}), "counts": desk.counts(now=timezone.now())}
        return super().changelist_view(request, context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = dict(extra_context or {})
        try:
            context["case"] = case = desk.case(withdrawal_id=UUID(object_id), now=timezone.now())
        except (ValueError, Withdrawal.DoesNotExist):
            return super().change_view(request, object_id, form_url, context)
        may = self.has_decide_permission(request)
        context["deeds"] = [(verb, LABELS[verb]) for verb in case.verbs] if may else []
        context["deed_form"] = DeedForm()
        context["decide_url"] = reverse("admin:wallets_withdrawal_decide", args=[case.id])
        return super().change_view(request, object_id, form_url, context)

    def get_urls(self) -> list[URLPattern]:
        decide = self.admin_site.admin_view(self.decide)
        return [path("<uuid:withdrawal_id>/decide/", decide, name="wallets_withdrawal_decide"), *super().get_urls()]

    def decide(self, request: HttpRequest, withdrawal_id: UUID) -> HttpResponse:
        """One deed on one withdrawal, from its own page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_decide_permission(request):
            raise PermissionDenied
        verb = request.POST.get("verb", "")
        if verb not in DEEDS:
            raise Http404
        self._do(request, verb, [withdrawal_id])
        return redirect("admin:wallets_withdrawal_change", withdrawal_id)

    def _do(self, request: HttpRequest, verb: str, ids: list[UUID]) -> None:
        """One transaction a withdrawal: one that is refused holds up no other."""
        reason = request.POST.get("reason", "").strip()
        outcomes: dict[str, int] = {}
        for withdrawal_id in ids:
            try:
                outcome = DEEDS[verb](withdrawal_id, request.user.pk, reason)
                outcomes[outcome] = outcomes.get(outcome, 0) + 1
            except DomainError as refused:
                self.message_user(request, f"{withdrawal_id}: {refused.message}", messages.ERROR)
            except ChainError as error:
                self.message_user(request, f"{withdrawal_id}: the network's node: {error}", messages.ERROR)
        for outcome, count in outcomes.items():
            self.message_user(request, f"{count} {outcome}.", messages.SUCCESS)


def _action(verb: str) -> Callable[[WithdrawalAdmin, HttpRequest, QuerySet[Withdrawal]], None]:
    @admin.action(description=LABELS[verb], permissions=["decide"])
    def act(self: WithdrawalAdmin, request: HttpRequest, queryset: QuerySet[Withdrawal]) -> None:
        self._do(request, verb, list(queryset.order_by("id").values_list("id", flat=True)))

    act.__name__ = verb
    return act


for _verb in DEEDS:
    setattr(WithdrawalAdmin, _verb, _action(_verb))
