"""Says at start-up when the price source cannot be meant."""

from django.conf import settings
from django.core.checks import Error, Warning, register

from exchange.assets.services import rates
from exchange.assets.sources import simulated


@register()
def price_source_is_real(app_configs, **kwargs):
    """Invented prices belong to the demo; a source nobody knows is a slip of the pen; none at all is worth a word."""
    name = rates.source_name()
    if name == simulated.NAME and not settings.DEMO:
        return [Error("PRICE_SOURCE=simulated belongs to the demo; set CMC_API_KEY instead.", id="assets.E001")]
    if name and name not in rates.SOURCES:
        known = ", ".join(rates.SOURCES)
        return [Error(f"PRICE_SOURCE={name} is not known; there are: {known}.", id="assets.E002")]
    if not name and not settings.DEBUG and getattr(settings, "PRODUCTION", False):
        return [Warning("No price source is set (CMC_API_KEY): nothing will be valued.", id="assets.W001")]
    return []
