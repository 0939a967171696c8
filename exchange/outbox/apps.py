"""Registers the room with Django: events committed with what caused them, delivered later, at least once, in order for a key."""

from django.apps import AppConfig


class OutboxConfig(AppConfig):
    name = "exchange.outbox"
    label = "outbox"
    verbose_name = "Outbox"
    default_auto_field = "django.db.models.BigAutoField"
