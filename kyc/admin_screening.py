"""The queue of screening cases as staff work it, and the lists in their versions.

Every deed is one service call with a reason. What must never happen here: a customer's words shown before the look is in the
audit, or to somebody without the right to decide; a row edited by hand; a deed that a link alone can do.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, Count, Model, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from exchange.audit import services as audit
from exchange.core.errors import DomainError
from kyc.models import ListVersion, ScreeningCase, ScreeningOpinion
from kyc.screening.services import cases, viewing

COLOURS = {"open": "warning", "cleared": "success", "confirmed": "danger"}
LIST_COLOURS = {"in_force": "success", "replaced": "info", "refused": "danger"}


class Looking(ModelAdmin):
    """No adding, no changing, no deleting."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class QueueFilter(admin.SimpleListFilter):
    """What is open, unless something else is asked for."""

    title = "queue"
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("strong", "Open, strong"), ("confirmed", "Confirmed"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        """Django's own first choice, nothing chosen, is the queue here."""
        first, *others = super().choices(changelist)
        return [{**first, "display": "Open"}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all":
            return queryset
        if self.value() == "confirmed":
            return queryset.filter(state=ScreeningCase.State.CONFIRMED)
        waiting = queryset.filter(state=ScreeningCase.State.OPEN)
        return waiting.filter(strong=True) if self.value() == "strong" else waiting


class VerdictForm(forms.Form):
    """What somebody says to a case, and why."""

    reason = forms.CharField(max_length=cases.REASON_LENGTH_MAX, widget=UnfoldAdminTextInputWidget)


@admin.register(ScreeningCase)
class ScreeningCaseAdmin(Looking):
    list_display = ["id", "user_id", "kind", "entry_named", "how_sure", "judged", "agreed", "opened_at"]
    list_filter = [QueueFilter, "kind", "strong", "list_code"]
    list_select_related = ["entry"]
    search_fields = ["=id", "=user_id", "=entry_uid"]
    fields = readonly_fields = ["opened_at", "seen_at", "decided_at"]
    ordering = ["-strong", "-score", "id"]
    change_form_outer_before_template = "kyc/admin/screening_case.html"

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("kyc.change_screeningcase"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # Counted for the rows that are shown, not for all and then cut off.
        given = ScreeningOpinion.objects.filter(case=OuterRef("pk"), verdict="clear", given_on=OuterRef("state"))
        said = Coalesce(Subquery(given.order_by().values("case").annotate(n=Count("pk")).values("n")), 0)
        lets_go = Q(strong=True) | Q(state=ScreeningCase.State.CONFIRMED)
        takes = Case(When(lets_go, then=Value(cases.STRONG_CLEARED_BY)), default=Value(1))
        # A member of staff is a customer, too, and must not learn of a case of his own.
        others = super().get_queryset(request).exclude(user_id=request.user.pk)
        return others.annotate(said=said, takes=takes)

    def get_ordering(self, request: HttpRequest) -> list[str]:
        """What is open by how sure it is; of all there ever were, the newest first."""
        return ["-id"] if request.GET.get("queue") == "all" else list(self.ordering)

    @admin.display(description="Entry")
    def entry_named(self, row: ScreeningCase) -> str:
        """The list's own words, which are public."""
        return f"{row.list_code} {row.entry_uid}: {row.entry.body['names'][row.name_place or 0]['text']}"

    @display(description="How sure", label={"strong": "danger", "weak": "info"})
    def how_sure(self, row: ScreeningCase) -> tuple[str, str]:
        return ("strong", f"{row.score} %") if row.strong else ("weak", f"{row.score} %")

    @display(description="State", label=COLOURS)
    def judged(self, row: ScreeningCase) -> tuple[str, str]:
        return row.state, row.get_state_display()

    @admin.display(description="To clear")
    def agreed(self, row: Any) -> str:
        return "" if row.state == ScreeningCase.State.CLEARED else f"{row.said} of {row.takes}"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = dict(extra_context or {})
        looking = request.method in ("GET", "HEAD")  # nothing is sent here: a deed has an address of its own
        if looking and self.has_decide_permission(request) and object_id.isascii() and object_id.isdigit():
            try:
                context["case"] = viewing.open_case(
                    case_id=int(object_id),
                    actor_id=int(request.user.pk or 0),
                    origin=audit.origin_of(request),
                    now=timezone.now(),
                )
            except DomainError:
                raise Http404 from None
            context["form"] = VerdictForm()
            context["verdicts"] = [] if context["case"].state == "cleared" else ScreeningOpinion.Verdict.choices
            context["decide_url"] = reverse("admin:kyc_screeningcase_decide", args=[object_id])
        response = super().change_view(request, object_id, form_url, context)
        # A browser is to keep nothing of what it showed.
        response["Cache-Control"] = "no-store, private"
        return response

    def get_urls(self) -> list[URLPattern]:
        decide = self.admin_site.admin_view(self.decide)
        return [path("<int:case_id>/decide/", decide, name="kyc_screeningcase_decide"), *super().get_urls()]

    def decide(self, request: HttpRequest, case_id: int) -> HttpResponse:
        """One word on one case, from its own page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_decide_permission(request):
            raise PermissionDenied
        verdict = request.POST.get("verdict", "")
        if verdict not in ScreeningOpinion.Verdict.values:
            raise Http404
        try:
            missing = cases.decide(
                case_id=case_id,
                actor_id=int(request.user.pk or 0),
                verdict=verdict,
                reason=request.POST.get("reason", ""),
                origin=audit.origin_of(request),
                now=timezone.now(),
            )
        except DomainError as refused:
            self.message_user(request, refused.message, messages.ERROR)
        else:
            done = (
                f"noted: {missing} more must say so"
                if missing
                else {"clear": "cleared", "confirm": "confirmed"}[verdict]
            )
            self.message_user(request, f"Case {case_id} {done}.", messages.SUCCESS)
        return redirect("admin:kyc_screeningcase_change", case_id)


@admin.register(ListVersion)
class ListVersionAdmin(Looking):
    list_display = [
        "id", "list_code", "standing", "published", "loaded_at", "entries", "names", "addresses", "added", "removed", "refusal",
    ]  # fmt: skip
    list_filter = ["list_code", "state"]
    ordering = ["-id"]

    @display(description="State", label=LIST_COLOURS)
    def standing(self, row: ListVersion) -> tuple[str, str]:
        return row.state, row.get_state_display()
