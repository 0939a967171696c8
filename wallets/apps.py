"""Registers the room with Django: addresses, deposits, withdrawals, the chain index."""

from django.apps import AppConfig


class WalletsConfig(AppConfig):
    name = "wallets"
    label = "wallets"
    verbose_name = "Wallets"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from functools import partial

        from exchange.ledger import reconciliation
        from wallets import routes
        from wallets.services import reconciling

        # One source a network: a node that is down hides nothing of the others.
        for network in routes.configured():
            reconciliation.register_outside(f"wallets:{network}", partial(reconciling.outside, network=network))
