"""Registers the room with Django and its part in the ledger's reconciliation: what open orders hold."""

from django.apps import AppConfig


class TradingConfig(AppConfig):
    name = "trading"
    label = "trading"
    verbose_name = "Trading"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from exchange.ledger import reconciliation
        from trading import selectors

        reconciliation.register_held("trading.open_orders", selectors.held_by_open_orders)
