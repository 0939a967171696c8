"""Registers the room with Django: bank money, later cards; each provider a folder of its own."""

from django.apps import AppConfig


class FiatConfig(AppConfig):
    name = "exchange.fiat"
    label = "fiat"
    verbose_name = "Bank money"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from exchange.fiat.services import statements
        from exchange.ledger import reconciliation

        reconciliation.register_outside("fiat:bank", statements.outside)
