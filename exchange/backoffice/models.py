"""Pages without a table of their own: a customer's story and the ledger's explorer. Each has a right to look at it, no row."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from exchange.assets.fields import BaseUnits


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


class Figure(models.Model):
    """What one day came to, of one kind and asset: counted by a worker, so that no page ever counts a year."""

    class Kind(models.TextChoices):
        SIGN_UPS = "sign_ups", _("Sign-ups")
        VOLUME = "volume", _("Volume")
        FEES = "fees", _("Fees, all that were ever taken by the day's end")
        DEPOSITS = "deposits", _("Deposits")
        DEPOSITS_COUNT = "deposits_n", _("Number of deposits")
        WITHDRAWALS = "withdrawals", _("Withdrawals")
        WITHDRAWALS_COUNT = "withdrawals_n", _("Number of withdrawals")

    day = models.DateField()
    kind = models.CharField(max_length=16, choices=Kind)
    asset_id = models.IntegerField(default=0, help_text="0: a number of things, no amount.")
    units = BaseUnits()
    counted_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day", "kind", "asset_id"], name="backoffice_figure_once")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.day}"
