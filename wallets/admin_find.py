"""The back office's one search: a word in, every trace of it out, each with its row and the network's explorer.

What must never happen here: a search by somebody who has no right to it, or a word that becomes part of a statement.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse

from wallets import tracing
from wallets.admin_base import ReadOnly
from wallets.models import Trace


@admin.register(Trace)
class TraceAdmin(ReadOnly):
    """Takes the place of a list: nobody browses ten million addresses."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        word = request.GET.get("q", "")
        found = tracing.find(word) if word.strip() else None
        context = {
            **self.admin_site.each_context(request),
            "title": "Find",
            "opts": self.opts,
            "word": word,
            "found": found,
            "lines": [(line, _page(line)) for line in found.lines] if found else [],
            "limit": tracing.LIMIT,
            **(extra_context or {}),
        }
        return TemplateResponse(request, "wallets/admin/find.html", context)


def _page(line: tracing.Line) -> str:
    """The back office's page of the row; rows of the index alone have none."""
    if not line.model:
        return ""
    try:
        return reverse(f"admin:wallets_{line.model}_change", args=[line.pk])
    except NoReverseMatch:
        return ""
