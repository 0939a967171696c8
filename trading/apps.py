"""Registers the room with Django and its part in the ledger's reconciliation: what open orders hold."""

from django.apps import AppConfig


class TradingConfig(AppConfig):
    name = "trading"
    label = "trading"
    verbose_name = "Trading"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from exchange.accounts import freedoms
        from exchange.ledger import reconciliation
        from kyc import kinds, uses
        from kyc import selectors as kyc
        from trading import proposing, selectors
        from trading.services import reserving

        proposing.register()
        reconciliation.register_held("trading.open_orders", selectors.held_by_open_orders)
        uses.register(kinds.TRADING, reserving.used)
        # Looked up with the log-in and trusted with it, so that an order of somebody without a limit asks nothing more.
        freedoms.register(freedoms.TRADING, lambda user_id: not kyc.is_limited(user_id, kinds.TRADING))
