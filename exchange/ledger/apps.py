"""Registers the room with Django: the double-entry book: the only owner of balances."""

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "exchange.ledger"
    label = "ledger"
    verbose_name = "Ledger"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from exchange.ledger import reconciliation

        reconciliation.register_held("holds", reconciliation.pending_holds)
