"""Registers the room with Django: jobs that need trading and wallets at once."""

from django.apps import AppConfig


class FlowsConfig(AppConfig):
    name = "exchange.flows"
    label = "flows"
    verbose_name = "Flows"
    default_auto_field = "django.db.models.BigAutoField"
