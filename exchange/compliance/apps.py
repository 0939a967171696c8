"""Registers the room with Django: monitoring, reports, proof of reserves."""

from django.apps import AppConfig


class ComplianceConfig(AppConfig):
    name = "exchange.compliance"
    label = "compliance"
    verbose_name = "Compliance"
    default_auto_field = "django.db.models.BigAutoField"
