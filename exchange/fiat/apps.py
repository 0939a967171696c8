"""Registers the room with Django: bank money, later cards; each provider a folder of its own."""

from django.apps import AppConfig


class FiatConfig(AppConfig):
    name = "exchange.fiat"
    label = "fiat"
    verbose_name = "Bank money"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from exchange.fiat.services import counting, statements
        from exchange.ledger import reconciliation
        from kyc import kinds, uses

        uses.register(kinds.FIAT_IN, counting.came_in)
        uses.register(kinds.FIAT_OUT, counting.went_out)
        reconciliation.register_outside("fiat:bank", statements.outside)
