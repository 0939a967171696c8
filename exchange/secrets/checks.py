"""Django's deployment check refuses a master key that everybody knows."""

from django.core.checks import Error, Tags, register
from django.core.exceptions import ImproperlyConfigured

from exchange.secrets import services


@register(Tags.security, deploy=True)
def master_key_is_secret(app_configs, **kwargs):
    """Runs with `check --deploy`."""
    try:
        services.check_master_key()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="secrets.E001")]
    return []
