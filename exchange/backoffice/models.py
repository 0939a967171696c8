"""Pages without a table of their own: a customer's story and the ledger's explorer. Each has a right to look at it, no row."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Story(models.Model):
    """All that the house knows of one customer, on one page."""

    class Meta:
        managed = False
        default_permissions = ("view",)
        verbose_name = _("customer's story")
        verbose_name_plural = _("customers' stories")

    def __str__(self) -> str:
        return f"story of {self.pk}"


class Book(models.Model):
    """The ledger from any balance down to each entry and what caused it, and up again."""

    class Meta:
        managed = False
        default_permissions = ("view",)
        verbose_name = _("ledger explorer")
        verbose_name_plural = _("ledger explorer")

    def __str__(self) -> str:
        return "the ledger"
