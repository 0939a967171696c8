"""Registers the room with Django: envelope encryption: the one home of every key that encrypts."""

from django.apps import AppConfig


class SecretsConfig(AppConfig):
    name = "exchange.secrets"
    label = "secrets"
    verbose_name = "Secrets"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from exchange.secrets import checks  # noqa: F401  (registers itself)
