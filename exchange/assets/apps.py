"""Registers the room with Django: assets, networks, prices."""

from django.apps import AppConfig


class AssetsConfig(AppConfig):
    name = "exchange.assets"
    label = "assets"
    verbose_name = "Assets and prices"
    default_auto_field = "django.db.models.BigAutoField"
