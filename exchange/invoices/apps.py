"""Registers the room with Django: merchants' crypto invoices."""

from django.apps import AppConfig

TOPICS = ("seen", "confirming", "credited", "orphaned", "dropped")


class InvoicesConfig(AppConfig):
    name = "exchange.invoices"
    label = "invoices"
    verbose_name = "Invoices"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from exchange.invoices.services import payments
        from exchange.outbox import registry

        for what in TOPICS:
            topic = f"wallets.deposit_{what}"
            registry.reader(topic, name=f"invoices.follow:{topic}")(payments.follow)
