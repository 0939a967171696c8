"""Registers the room with Django: bank and card money."""

from django.apps import AppConfig


class FiatConfig(AppConfig):
    name = "exchange.fiat"
    label = "fiat"
    verbose_name = "Fiat"
    default_auto_field = "django.db.models.BigAutoField"
