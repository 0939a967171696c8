"""What the house announces: a list, each by itself, and a feed for readers.

What must never happen here: a draft shown to a visitor.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.syndication.views import Feed as DjangoFeed
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.feedgenerator import Atom1Feed
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from exchange.notifications import selectors

SHOWN = 20
MAY_SEE_DRAFTS = "notifications.view_announcement"


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """The newest first."""
    rows = selectors.announcements(now=timezone.now(), before=_moment(request.GET.get("before", "")), limit=SHOWN + 1)
    following = rows[SHOWN - 1].published_at if len(rows) > SHOWN else None
    return render(request, "site/announcements.html", {"rows": rows[:SHOWN], "next": following})


@require_safe
def one(request: HttpRequest, slug: str) -> HttpResponse:
    """One; staff who may see drafts see them here as customers will."""
    now = timezone.now()
    drafts = request.user.is_authenticated and request.user.is_staff and request.user.has_perm(MAY_SEE_DRAFTS)
    found = selectors.announcement(slug, now=now, drafts=drafts)
    if found is None:
        raise Http404
    draft = found.published_at is None or found.published_at > now
    if draft and not drafts:
        raise PermissionDenied
    return render(request, "site/announcement.html", {"each": found, "draft": draft})


def _moment(text: str) -> datetime | None:
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return found if found is not None and timezone.is_aware(found) else None


class Feed(DjangoFeed):
    """Atom, in the language that is asked for."""

    feed_type = Atom1Feed
    link = "/announcements/"

    def title(self) -> str:
        return _("Announcements of {site}").format(site=settings.SITE_NAME)

    def items(self) -> list[selectors.AnnouncementView]:
        return selectors.announcements(now=timezone.now(), limit=SHOWN)

    def item_title(self, item: Any) -> str:
        return str(item.title)

    def item_description(self, item: Any) -> str:
        return str(item.summary)

    def item_link(self, item: Any) -> str:
        return f"{settings.SITE_URL.rstrip('/')}/announcements/{item.slug}/"

    def item_pubdate(self, item: Any) -> Any:
        return item.published_at
