"""Registers the room with Django: what one of staff wishes to change, and another has to approve."""

from django.apps import AppConfig


class ProposalsConfig(AppConfig):
    name = "exchange.proposals"
    label = "proposals"
    verbose_name = "Proposals"
    default_auto_field = "django.db.models.BigAutoField"
