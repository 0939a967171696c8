"""The demo's customers and their trading. Everything of it is named "demo" where somebody could meet it.

What must never happen here: this running under production settings (`refuse_production`), or money written into the books:
demo customers deposit coins of the private chains as anybody would.
"""

from django.conf import settings

from exchange.core.errors import PermissionDenied


class DemoRefused(PermissionDenied):
    """Asked for where real people trade."""

    code = "demo_refused"


def refuse_production() -> None:
    """Raises DemoRefused unless the settings say that this is the demo."""
    if getattr(settings, "PRODUCTION", False) or not getattr(settings, "DEMO", False):
        raise DemoRefused(
            "The demo does not run here: settings.DEMO is off, as it always is under config.settings.prod."
        )
