"""A person's inbox, what is announced, and how much is owed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count
from django.utils import translation

from exchange.notifications.models import Announcement, AnnouncementText, Delivery, Notification, Provider

UNREAD_SHOWN_MAX = 99


@dataclass(frozen=True, slots=True)
class NotificationView:
    """One line; `link` is a path of ours or empty."""

    id: int
    kind: str
    title: str
    body: str
    link: str
    created_at: datetime
    read_at: datetime | None


def recent(user_id: int, *, before: int | None = None, unread: bool = False, limit: int = 20) -> list[NotificationView]:
    """Newest first; the cursor is the last id seen. One query."""
    rows = Notification.objects.filter(user_id=user_id)
    if unread:
        rows = rows.filter(read_at=None)
    if before is not None:
        rows = rows.filter(id__lt=before)
    return [view(row) for row in rows.order_by("-id")[:limit]]


def one(user_id: int, notification_id: int) -> NotificationView | None:
    """A line of this person's; None for another's. One query."""
    row = Notification.objects.filter(user_id=user_id, id=notification_id).first()
    return None if row is None else view(row)


def unread_count(user_id: int, *, most: int | None = None) -> int:
    """How many lines were not read yet, counted up to `most`. One query over a partial index."""
    rows = Notification.objects.filter(user_id=user_id, read_at=None)
    return (rows if most is None else rows.order_by()[:most]).count()


@dataclass(frozen=True, slots=True)
class AnnouncementView:
    """An announcement in the language that is active; `language` is the one its words are in."""

    id: int
    slug: str
    kind: str
    kind_name: str
    title: str
    summary: str
    body: str
    language: str
    published_at: datetime | None
    banner_until: datetime | None


def announcements(*, now: datetime, before: datetime | None = None, limit: int = 20) -> list[AnnouncementView]:
    """What is published, the newest first; the cursor is a time of publication. Two queries."""
    rows = Announcement.objects.filter(published_at__lte=now)
    if before is not None:
        rows = rows.filter(published_at__lt=before)
    return [_announced(row) for row in rows.prefetch_related("texts").order_by("-published_at", "-id")[:limit]]


def announcement(slug: str, *, now: datetime, drafts: bool = False) -> AnnouncementView | None:
    """One by its address; one that is not published yet for staff alone (`drafts`). Two queries."""
    rows = Announcement.objects.filter(slug=slug)
    if not drafts:
        rows = rows.filter(published_at__lte=now)
    row = rows.prefetch_related("texts").first()
    return None if row is None else _announced(row)


@dataclass(frozen=True, slots=True)
class Banner:
    """What stands on top of every page until then: title and summary by language."""

    id: int
    slug: str
    kind: str
    until: datetime
    words: dict[str, tuple[str, str]]

    def in_words(self) -> tuple[str, str]:
        """In the language that is active, else English."""
        wanted = (translation.get_language() or "en").partition("-")[0]
        return self.words.get(wanted) or self.words.get("en") or next(iter(self.words.values()), ("", ""))


def standing_banners(*, now: datetime) -> list[Banner]:
    """The newest first. One query where there is none, else two."""
    rows = Announcement.objects.filter(published_at__lte=now, banner_until__gt=now)
    return [
        Banner(
            id=row.id,
            slug=row.slug,
            kind=row.kind,
            until=row.banner_until,
            words={text.language: (text.title, text.summary) for text in row.texts.all()},
        )
        for row in rows.prefetch_related("texts").order_by("-published_at", "-id")[:3]
        if row.banner_until is not None
    ]


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is owed by channel, what was given up, which providers are left alone for a while, and since when the oldest waits."""

    waiting: dict[str, int]
    dead: int
    paused: int
    oldest_due: datetime | None


def backlog(*, now: datetime) -> Backlog:
    """Four queries over partial indexes."""
    owed = Delivery.objects.filter(state__in=["waiting", "sending"])
    counts = dict.fromkeys(Delivery.Channel.values, 0)
    counts.update(owed.order_by().values_list("channel").annotate(count=Count("id")))
    return Backlog(
        waiting=counts,
        dead=Delivery.objects.filter(state="dead").count(),
        paused=Provider.objects.filter(paused_until__gt=now).count(),
        oldest_due=owed.order_by("due_at").values_list("due_at", flat=True).first(),
    )


def view(row: Notification) -> NotificationView:
    return NotificationView(
        id=row.id,
        kind=row.kind,
        title=row.title,
        body=row.body,
        link=row.link,
        created_at=row.created_at,
        read_at=row.read_at,
    )


def _announced(row: Announcement) -> AnnouncementView:
    words = _words(list(row.texts.all()))
    return AnnouncementView(
        id=row.id,
        slug=row.slug,
        kind=row.kind,
        kind_name=str(Announcement.Kind(row.kind).label),
        title=words.title,
        summary=words.summary,
        body=words.body,
        language=words.language,
        published_at=row.published_at,
        banner_until=row.banner_until,
    )


def _words(texts: list[AnnouncementText]) -> AnnouncementText:
    """The reader's language, else English, else what there is."""
    by_language = {text.language: text for text in texts}
    wanted = (translation.get_language() or "en").partition("-")[0]
    found = by_language.get(wanted) or by_language.get("en") or next(iter(texts), None)
    return found or AnnouncementText(language="en", title="", summary="", body="")
