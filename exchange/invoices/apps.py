"""Registers the room with Django: merchants' crypto invoices and their webhooks."""

from django.apps import AppConfig


class InvoicesConfig(AppConfig):
    name = "exchange.invoices"
    label = "invoices"
    verbose_name = "Invoices"
    default_auto_field = "django.db.models.BigAutoField"
