"""Brings news to its readers and sends the mails that follow, as the workers do one after the other."""

from datetime import datetime

from exchange.notifications.services import sending
from exchange.outbox import services as outbox


def deliver(*, now: datetime) -> int:
    """The outbox' deliveries, then the mails that are due; how many rows were sent."""
    outbox.deliver(now=now)
    return sending.send(of=sending.MAILS, now=now)
