"""Registers the room with Django: applications, documents, levels and limits."""

from django.apps import AppConfig


class KycConfig(AppConfig):
    name = "kyc"
    label = "kyc"
    verbose_name = "Identity"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from kyc import (
            checks,  # noqa: F401  (they register themselves)
            proposing,
        )
        from kyc.screening import joining

        joining.join()
        proposing.register()
