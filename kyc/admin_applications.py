"""The queue of applications as reviewers work it: what waits, the oldest first; one case with words and pictures side by side.

Every deed is one service call that names the version its reviewer saw. What must never happen here: a row edited by hand, a
deed that a link alone can do, a word or a picture shown to somebody without the right to decide, or a picture that a browser
keeps, runs or guesses the type of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.timesince import timesince
from unfold.admin import ModelAdmin

from exchange.audit import services as audit
from exchange.core.errors import DomainError
from kyc import desk, reasons, requirements
from kyc.models import Application, ApplicationApproval
from kyc.models.applications import WAITING
from kyc.services import reviewing

# A picture can do nothing but be looked at, and stays nowhere.
PICTURE_HEADERS = {
    "Cache-Control": "no-store, private",
    "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class QueueFilter(admin.SimpleListFilter):
    """What waits for a decision, unless something else is asked for."""

    title = "queue"
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("late", "Waiting over two days"), ("mine", "Taken by me"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        """Django's own first choice, nothing chosen, is the queue here."""
        first, *others = super().choices(changelist)
        return [{**first, "display": "Waiting"}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all":
            return queryset
        waiting = queryset.filter(state__in=WAITING)
        if self.value() == "late":
            return waiting.filter(submitted_at__lt=timezone.now() - desk.LATE_AFTER)
        return waiting.filter(reviewer_id=request.user.pk) if self.value() == "mine" else waiting


@admin.register(Application)
class ApplicationAdmin(ModelAdmin):
    list_display = ["id", "user_id", "level", "state", "waits", "agreed", "reviewer_id", "provider_state"]
    list_filter = [QueueFilter, "level", "provider"]
    list_select_related = ["level"]
    search_fields = ["=id", "=user_id"]
    ordering = ["submitted_at", "created_at"]
    fields = readonly_fields = ["created_at", "changed_at", "submitted_at", "decided_at", "expires_at", "ended_at"]
    show_full_result_count = False
    list_per_page = 50
    list_before_template = "kyc/admin/queue.html"
    change_form_outer_before_template = "kyc/admin/case.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("kyc.change_application"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # Counted for the rows that are shown, not for all and then cut off.
        given = ApplicationApproval.objects.filter(application=OuterRef("pk"), version=OuterRef("version"))
        yes = Subquery(given.order_by().values("application").annotate(said=Count("pk")).values("said"))
        return super().get_queryset(request).defer("sealed").annotate(yes=Coalesce(yes, 0))

    def get_ordering(self, request: HttpRequest) -> list[str]:
        """The queue by how long each waits; of all there ever were, the newest first."""
        return ["-created_at"] if request.GET.get("queue") == "all" else list(self.ordering)

    @admin.display(description="Waiting for", ordering="submitted_at")
    def waits(self, row: Application) -> str:
        return timesince(row.submitted_at) if row.state in WAITING and row.submitted_at else ""

    @admin.display(description="Agreed")
    def agreed(self, row: Any) -> str:
        return str(row.yes) if row.yes else ""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {**(extra_context or {}), "counts": desk.counts(now=timezone.now())}
        return super().changelist_view(request, context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = dict(extra_context or {})
        try:
            context["case"] = case = desk.case(UUID(object_id))
        except (ValueError, Application.DoesNotExist):
            return super().change_view(request, object_id, form_url, context)
        if self.has_decide_permission(request):
            self._open(request, case, context)
        return super().change_view(request, object_id, form_url, context)

    def _open(self, request: HttpRequest, case: desk.Case, context: dict[str, Any]) -> None:
        """The words, and what may be done; who asked for them is on record."""
        try:
            look = reviewing.look(
                application_id=case.id,
                actor_id=int(request.user.pk or 0),
                origin=audit.origin_of(request),
                now=timezone.now(),
            )
        except DomainError as refused:
            context["refused"] = refused.message
            return
        name = "admin:kyc_application_document"
        context |= {
            "look": look,
            "lines": desk.lines(look.told),
            "pictures": [
                (requirements.KINDS[each.kind], each, reverse(name, args=[case.id, each.id]))
                for each in (*case.pictures, *case.earlier_pictures)
            ],
            "items": desk.items(case),
            "reason_choices": reasons.CHOICES,
            "decide_url": reverse("admin:kyc_application_decide", args=[case.id]),
        }

    def get_urls(self) -> list[URLPattern]:
        decide, picture = self.admin_site.admin_view(self.decide), self.admin_site.admin_view(self.picture)
        return [
            path("<uuid:application_id>/decide/", decide, name="kyc_application_decide"),
            path("<uuid:application_id>/picture/<uuid:document_id>/", picture, name="kyc_application_document"),
            *super().get_urls(),
        ]

    def picture(self, request: HttpRequest, application_id: UUID, document_id: UUID) -> HttpResponse:
        """One picture, for who may decide about it."""
        if request.method != "GET":
            return HttpResponseNotAllowed(["GET"])
        if not self.has_decide_permission(request):
            raise PermissionDenied
        document, data = reviewing.view_document(
            application_id=application_id,
            document_id=document_id,
            actor_id=int(request.user.pk or 0),
            origin=audit.origin_of(request),
            now=timezone.now(),
        )
        named = {"Content-Disposition": f'inline; filename="{document.kind}.jpg"'}
        return HttpResponse(data, content_type="image/jpeg", headers={**PICTURE_HEADERS, **named})

    def decide(self, request: HttpRequest, application_id: UUID) -> HttpResponse:
        """One deed on one application, from its own page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_decide_permission(request):
            raise PermissionDenied
        deed = DEEDS.get(request.POST.get("verb", ""))
        if deed is None:
            raise Http404
        try:
            self.message_user(request, deed(request, application_id), messages.SUCCESS)
        except DomainError as refused:
            self.message_user(request, refused.message, messages.ERROR)
        return redirect("admin:kyc_application_change", application_id)


def _common(request: HttpRequest, application_id: UUID) -> dict[str, Any]:
    return {
        "application_id": application_id,
        "actor_id": int(request.user.pk or 0),
        "origin": audit.origin_of(request),
        "now": timezone.now(),
    }


def _seen(request: HttpRequest) -> int:
    """The version that the page showed; one that nobody names was never seen."""
    text = request.POST.get("seen", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _take(request: HttpRequest, application_id: UUID) -> str:
    reviewing.take(**_common(request, application_id))
    return "It is yours to look at."


def _approve(request: HttpRequest, application_id: UUID) -> str:
    note = request.POST.get("note", "").strip()
    missing = reviewing.approve(**_common(request, application_id), seen=_seen(request), note=note)
    return f"Noted: {missing} more must approve it." if missing else "Approved. The customer has the level now."


def _reject(request: HttpRequest, application_id: UUID) -> str:
    reviewing.reject(
        **_common(request, application_id),
        seen=_seen(request),
        reasons=request.POST.getlist("reasons"),
        message=request.POST.get("message", ""),
    )
    return "Turned down. The customer is told why."


def _ask_again(request: HttpRequest, application_id: UUID) -> str:
    reviewing.ask_again(
        **_common(request, application_id),
        seen=_seen(request),
        items=request.POST.getlist("items"),
        reasons=request.POST.getlist("reasons"),
        message=request.POST.get("message", ""),
    )
    return "The customer is asked to send it again."


DEEDS: dict[str, Callable[[HttpRequest, UUID], str]] = {
    "take": _take,
    "approve": _approve,
    "reject": _reject,
    "ask_again": _ask_again,
}
