"""Registers the room with Django: jobs that need trading and wallets at once."""

from django.apps import AppConfig


class FlowsConfig(AppConfig):
    name = "exchange.flows"
    label = "flows"
    verbose_name = "Flows"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from exchange.flows.services import freezes
        from exchange.outbox import registry

        registry.reader("ledger.frozen", name="flows.follow_freeze")(freezes.follow)
        for topic in ("wallets.deposit_credited", "fiat.deposit_credited"):
            registry.reader(topic, name=f"flows.pay_debts:{topic}")(freezes.pay_debts_after_deposit)
