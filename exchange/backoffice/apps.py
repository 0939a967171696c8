"""Registers the room with Django: what staff see of all rooms at once. Roles are put in order after every migrate."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class BackofficeConfig(AppConfig):
    name = "exchange.backoffice"
    label = "backoffice"
    verbose_name = "Back office"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from exchange.accounts import registry
        from exchange.backoffice import roles, seeding

        registry.keep_offices(roles.NAMES)
        # The last room's signal: by then every room's permissions are there.
        post_migrate.connect(seeding.after_migrate, sender=self, dispatch_uid="backoffice.roles")
