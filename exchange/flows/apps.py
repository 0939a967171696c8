"""Registers the room with Django: jobs that need trading and wallets at once."""

from django.apps import AppConfig


class FlowsConfig(AppConfig):
    name = "exchange.flows"
    label = "flows"
    verbose_name = "Flows"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from exchange.flows import proposing
        from exchange.flows.services import freezes, shut_accounts
        from exchange.outbox import registry

        registry.reader("ledger.frozen", name="flows.follow_freeze")(freezes.follow)
        registry.reader("accounts.frozen_by_customer", name="flows.take_back_withdrawals")(shut_accounts.take_back)
        registry.reader("accounts.frozen_by_customer", name="flows.cancel_orders")(shut_accounts.cancel_orders)
        for topic in ("wallets.deposit_credited", "fiat.deposit_credited"):
            registry.reader(topic, name=f"flows.pay_debts:{topic}")(freezes.pay_debts_after_deposit)
        proposing.register()
