"""What people are told, for the pages about it: announcements, a banner, devices, and an inbox that goes over one page."""

from __future__ import annotations

from datetime import datetime, timedelta

from exchange.notifications.models import Announcement, AnnouncementText, Notification
from exchange.notifications.services import devices
from tests.pages.world import World

SLUG = "maintenance-on-sunday"


def fill(world: World, now: datetime) -> None:
    world.names["announcement"] = SLUG
    _announcements(world, now)
    for number in range(24):
        Notification.objects.create(
            user_id=world.customer, event_id=10_000_000 + number, kind="deposit_credited",
            title=f"Deposit of 0.{number + 1:02d} BTC credited",
            body=f"0.{number + 1:02d} BTC arrived over bitcoin and can be used now.", link="/wallet/history/",
            created_at=now - timedelta(hours=3 * number), read_at=now if number > 2 else None,
        )  # fmt: skip
    for user_id in (world.customer, world.staff):
        _device(user_id, now)


def _announcements(world: World, now: datetime) -> None:
    rows = (
        (SLUG, Announcement.Kind.MAINTENANCE, 1, "Maintenance on Sunday, 02:00 to 03:00 UTC",
         "Trading stops for about twenty minutes; deposits and withdrawals wait until we are back."),
        ("two-new-markets", Announcement.Kind.LISTING, 4, "Two new markets",
         "LTC-USDT and LTC-BTC are open for limit orders from today."),
        ("lower-fees", Announcement.Kind.NEWS, 12, "Lower fees from next month",
         "The first three tiers pay less. Nothing is to be done."),
    )  # fmt: skip
    body = (
        "The database moves to new machines. Open orders stay as they are and match again when the markets open.\n\n"
        "What waits meanwhile: orders, withdrawals, and the crediting of deposits. Addresses keep working.\n\n"
        "The state of the service stands at https://localhost/status/."
    )
    for slug, kind, days, title, summary in rows:
        made = Announcement.objects.create(
            slug=slug, kind=kind, published_at=now - timedelta(days=days), created_by=world.staff,
            banner_until=now + timedelta(days=30) if slug == SLUG else None, created_at=now - timedelta(days=days),
        )  # fmt: skip
        AnnouncementText.objects.create(announcement=made, language="en", title=title, summary=summary, body=body)


def _device(user_id: int, now: datetime) -> None:
    """An Android phone, where the operator offers pushes to those; the pages are shown either way."""
    try:
        devices.register(
            user_id=user_id, session_key=f"phone-of-{user_id}", platform="fcm", token=f"token-of-{user_id}:" + "x" * 40,
            label="Pixel 9", now=now,
        )  # fmt: skip
    except devices.ChannelOff:
        return
