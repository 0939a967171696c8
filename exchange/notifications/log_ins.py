"""Hears of each log-in that ends, wherever Django takes its row away, and takes its devices off the pushes."""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.models import Session
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils import timezone

from exchange.notifications.services import devices


@receiver(post_delete, sender=Session)
def session_went(sender: Any, instance: Session, **kwargs: Any) -> None:
    devices.log_in_ended(session_key=instance.session_key, now=timezone.now())
