"""Registers the room with Django: who may move coins."""

from django.apps import AppConfig


class CustodyConfig(AppConfig):
    name = "custody"
    label = "custody"
    verbose_name = "Custody"
    default_auto_field = "django.db.models.BigAutoField"
