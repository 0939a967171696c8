"""Registers the room with Django: applications, documents, levels and limits."""

from django.apps import AppConfig


class KycConfig(AppConfig):
    name = "kyc"
    label = "kyc"
    verbose_name = "Identity"
    default_auto_field = "django.db.models.BigAutoField"
