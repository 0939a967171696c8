"""The back office's own pages: a customer's whole story, found by number or address. The ledger's explorer: admin_book.py.

What must never happen here: a look at a customer that leaves no line in the audit.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from exchange.accounts import selectors as accounts
from exchange.audit import services as audit
from exchange.backoffice import story
from exchange.backoffice.admin_book import BookAdmin, OnlyLooked
from exchange.backoffice.models import Story

__all__ = ["BookAdmin"]


@admin.register(Story)
class StoryAdmin(OnlyLooked):
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """A door: a customer's number or the whole e-mail address. Nobody browses a million customers."""
        self.look(request)
        word = request.GET.get("q", "").strip()
        if word:
            user_id = _found(word)
            if user_id is not None:
                return redirect("admin:backoffice_story_change", user_id)
        return self.show(request, "backoffice/stories.html", _("Customers"), word=word)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.look(request)
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied  # nothing is changed here, by nobody
        if not (object_id.isascii() and object_id.isdigit() and len(object_id) < 19):
            raise Http404
        now, user_id = timezone.now(), int(object_id)
        told = story.of(request, user_id=user_id, now=now)
        if told is None:
            raise Http404
        audit.record(
            actor_id=int(request.user.pk or 0),
            action="customer.look",
            subject=f"user:{user_id}",
            origin=audit.origin_of(request),
            now=now,
        )
        waits = story.waiting_proposals(user_id, now=now)
        return self.show(
            request, "backoffice/story.html", _("Customer %(number)s") % {"number": user_id}, story=told,
            waits=reverse("admin:proposals_proposal_change", args=[waits]) if waits else "",
        )  # fmt: skip


def _found(word: str) -> int | None:
    if word.isascii() and word.isdigit() and len(word) < 19:
        return int(word) if accounts.people([int(word)]) else None
    person = accounts.by_email(word) if "@" in word else None
    return person.id if person else None
