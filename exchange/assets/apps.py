"""Registers the room with Django: assets, networks, prices."""

from django.apps import AppConfig


class AssetsConfig(AppConfig):
    name = "exchange.assets"
    label = "assets"
    verbose_name = "Assets"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from exchange.accounts import registry
        from exchange.assets import checks, opening, proposing  # noqa: F401  (checks register themselves)

        registry.on_customer_opened(opening.open_accounts)
        proposing.register()
