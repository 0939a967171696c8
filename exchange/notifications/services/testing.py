"""A test that a customer sends to themselves, on every way that is on. Few a day, for an SMS costs money."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from exchange.accounts.models import User
from exchange.core.errors import TooMany
from exchange.notifications.account_messages import TEST
from exchange.notifications.models import Notification
from exchange.outbox import services as outbox

TESTS_A_DAY = 5


class TooManyTests(TooMany):
    code = "notification_tests_too_many"


def send(*, user_id: int, now: datetime) -> None:
    """Raises TooManyTests."""
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).only("id").get(id=user_id)
        lately = Notification.objects.filter(user_id=user_id, kind="test", created_at__gt=now - timedelta(days=1))
        if lately.count() >= TESTS_A_DAY:
            raise TooManyTests("That was tested often enough for today.")
        outbox.append(topic=TEST, key=f"user:{user_id}", payload={"user_id": user_id}, now=now)
