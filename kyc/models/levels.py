"""How well we know a customer, and what that allows.

What must never happen here: personal data. Applications and documents have tables, keys and readers of their own.
"""

from django.db import models
from django.db.models import Q

from exchange.assets.fields import BaseUnits


class Level(models.Model):
    """A step of verification and its limit, in cents of a US dollar."""

    number = models.PositiveSmallIntegerField(primary_key=True)
    code = models.SlugField(max_length=20, unique=True)
    name = models.CharField(max_length=60)
    withdrawal_24h = BaseUnits(
        null=True, blank=True, help_text="US cents that may leave in any 24 hours; empty: no limit."
    )

    class Meta:
        ordering = ["number"]
        constraints = [
            models.CheckConstraint(
                condition=Q(withdrawal_24h=None) | Q(withdrawal_24h__gte=0), name="kyc_level_limit_not_negative"
            )
        ]

    def __str__(self):
        return self.name


class Customer(models.Model):
    """A customer's level. The row is also the lock under which his limits are counted."""

    user_id = models.BigIntegerField(primary_key=True)
    level = models.ForeignKey(Level, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=500, blank=True)
    changed_at = models.DateTimeField()

    def __str__(self):
        return f"user:{self.user_id}"
