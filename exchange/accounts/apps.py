"""Registers the room with Django: customers and staff."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "exchange.accounts"
    label = "accounts"
    verbose_name = "Accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from exchange.accounts import registry
        from exchange.accounts.keys import services as keys

        registry.on_access_ended(keys.access_ended)
        from exchange.accounts.services import email_changes, staff
        from exchange.proposals import registry as proposals

        proposals.judged_by(staff.may)
        email_changes.register()
        from exchange.accounts import log_ins, noticing, watching  # noqa: F401  (they connect themselves to signals)
        from exchange.accounts.providers import news  # noqa: F401
        from exchange.accounts.second_factors import sealing  # noqa: F401
        from exchange.accounts.second_factors import watching as factors  # noqa: F401
