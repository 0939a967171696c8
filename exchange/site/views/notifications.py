"""A customer's notifications: the page, the bell's part, and reading them.

What must never happen here: a line read by a GET (browsers open links by themselves), or a way on to a place that is not ours.
"""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from exchange.notifications import selectors
from exchange.notifications.services import inbox

SHOWN, SHOWN_IN_BELL = 20, 5


@login_required
@require_safe
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    """All of them, the newest first, or those that were not read yet."""
    text = request.GET.get("before", "")
    before = int(text) if text.isascii() and text.isdigit() and len(text) < 17 else None
    unread = request.GET.get("show") == "unread"
    lines = selectors.recent(request.user.pk, before=before, unread=unread, limit=SHOWN + 1)
    context = {
        "lines": lines[:SHOWN],
        "next": lines[SHOWN - 1].id if len(lines) > SHOWN else None,
        "only_unread": unread,
        "first_page": before is None,
    }
    return render(request, "site/notifications.html", context)


@login_required
@require_safe
@never_cache
def latest(request: HttpRequest) -> HttpResponse:
    """The newest few, for the bell."""
    lines = selectors.recent(request.user.pk, limit=SHOWN_IN_BELL)
    return render(request, "site/parts/notifications_latest.html", {"lines": lines})


@login_required
@require_POST
def open_one(request: HttpRequest, notification_id: int) -> HttpResponse:
    """Marks one as read and goes where it leads."""
    line = selectors.one(request.user.pk, notification_id)
    if line is None:
        raise Http404
    inbox.mark_read(user_id=request.user.pk, ids=[line.id], now=timezone.now())
    ours = line.link.startswith("/") and not line.link.startswith("//")
    return redirect(line.link if ours else "site:notifications")


@login_required
@require_POST
def read_all(request: HttpRequest) -> HttpResponse:
    count = inbox.mark_read(user_id=request.user.pk, now=timezone.now())
    if count:
        told = ngettext("%(count)s notification marked as read.", "%(count)s notifications marked as read.", count)
        messages.success(request, told % {"count": count})
    else:
        messages.info(request, _("There was nothing new."))
    return redirect("site:notifications")


@require_safe
@never_cache
def push_worker(request: HttpRequest) -> HttpResponse:
    """The service worker. It stands at an address of its own, and so can reach no page: it shows pushes and nothing else."""
    return render(request, "site/push-worker.js", content_type="text/javascript; charset=utf-8")
