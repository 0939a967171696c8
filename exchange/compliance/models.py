"""What each look at our solvency found: a history that nobody can change, for staff, for auditors, and for the alarm itself.

What must never happen here: a row altered or deleted (the database refuses it), or "unknown" written down as "covered".
"""

from __future__ import annotations

from django.db import models

from exchange.assets.fields import BaseUnits


class Verdict(models.TextChoices):
    COVERED = "covered", "Covered"
    SHORT = "short", "SHORT"
    UNKNOWN = "unknown", "Not fully seen"


class SolvencyLook(models.Model):
    """One look at everything."""

    made_at = models.DateTimeField()
    verdict = models.CharField(max_length=8, choices=Verdict.choices)
    # The sources that did not answer, by name.
    unreachable = models.JSONField(default=list)

    class Meta:
        db_table = "compliance_solvency_look"
        verbose_name = "look at solvency"
        verbose_name_plural = "solvency"
        indexes = [models.Index(fields=["-made_at"], name="compliance_solvency_made")]

    def __str__(self) -> str:
        return f"{self.made_at:%Y-%m-%d %H:%M} {self.verdict}"


class SolvencyAsset(models.Model):
    """One asset in one look, in base units. `hot`, `cold`, `deposit` and `other` (banks) are what sources show; with `pending`,
    what is explained and under way, they come to `seen`."""

    look = models.ForeignKey(SolvencyLook, on_delete=models.PROTECT, related_name="assets")
    asset_id = models.SmallIntegerField()
    verdict = models.CharField(max_length=8, choices=Verdict.choices)
    owed = BaseUnits()
    seen = BaseUnits()
    hot = BaseUnits()
    cold = BaseUnits()
    deposit = BaseUnits()
    other = BaseUnits()
    pending = BaseUnits()
    # What the books say of the sources that could not be looked at.
    unseen = BaseUnits()
    own = BaseUnits()
    debts_to_us = BaseUnits()
    # The alarm that this look raised for this asset, "" for none.
    alarm = models.CharField(max_length=8, default="", blank=True)

    class Meta:
        db_table = "compliance_solvency_asset"
        verbose_name = "asset's solvency"
        verbose_name_plural = "assets' solvency"
        constraints = [models.UniqueConstraint(fields=["look", "asset_id"], name="compliance_solvency_asset_once")]
        indexes = [models.Index(fields=["asset_id", "-id"], name="compliance_solvency_by_asset")]

    def __str__(self) -> str:
        return f"{self.asset_id} {self.verdict}"
