"""Registers the room with Django: applications, documents, levels and limits."""

from django.apps import AppConfig


class KycConfig(AppConfig):
    name = "kyc"
    label = "kyc"
    verbose_name = "Identity"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from exchange.accounts import registry as accounts
        from kyc import application_selectors, checks  # noqa: F401  (the checks register themselves)
        from kyc.screening import joining

        accounts.exports("verification", application_selectors.export)
        joining.join()
