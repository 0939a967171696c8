"""How well we know a customer, and what that allows.

What must never happen here: personal data. Applications and documents have tables, keys and readers of their own.
"""

from django.db import models
from django.db.models import F, Q

from exchange.assets.fields import BaseUnits
from kyc.kinds import KINDS, WINDOWS


class Level(models.Model):
    """A step of verification. What it allows stands in its limits."""

    number = models.PositiveSmallIntegerField(primary_key=True)
    code = models.SlugField(max_length=20, unique=True)
    name = models.CharField(max_length=60)
    # Who counts from now on must look at what was moved before: see trading's reservations.
    limits_changed_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["number"]

    def __str__(self):
        return self.name


class Limit(models.Model):
    """What a level allows of one kind in any stretch of so many seconds; changed by services.levels alone."""

    level = models.ForeignKey(Level, on_delete=models.PROTECT, related_name="limits")
    kind = models.CharField(max_length=12, choices=[(kind, kind) for kind in KINDS])
    seconds = models.PositiveIntegerField(choices=[(seconds, str(seconds)) for seconds in WINDOWS])
    amount = BaseUnits(null=True, blank=True, help_text="Base units of the reference currency; empty: no limit.")

    class Meta:
        ordering = ["level_id", "kind", "seconds"]
        constraints = [
            models.UniqueConstraint(fields=["level", "kind", "seconds"], name="kyc_limit_once"),
            models.CheckConstraint(condition=Q(amount=None) | Q(amount__gte=0), name="kyc_limit_not_negative"),
            models.CheckConstraint(condition=Q(kind__in=KINDS, seconds__in=WINDOWS), name="kyc_limit_known"),
        ]

    def __str__(self):
        return f"{self.kind} in {self.seconds} s at level {self.level_id}"


class Customer(models.Model):
    """A customer's level. The row is also the lock under which his limits are counted."""

    user_id = models.BigIntegerField(primary_key=True)
    level = models.ForeignKey(Level, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=500, blank=True)
    changed_at = models.DateTimeField()

    def __str__(self):
        return f"user:{self.user_id}"


class LevelProposal(models.Model):
    """A higher level that one member of staff wants given and another has to confirm; written by services.raising alone."""

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField()
    before = models.PositiveSmallIntegerField(help_text="The level that the customer had then.")
    level = models.ForeignKey(Level, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=500)
    proposed_by = models.BigIntegerField()
    proposed_at = models.DateTimeField()
    confirmed = models.BooleanField(null=True)
    refusal = models.CharField(max_length=500, blank=True)
    decided_by = models.BigIntegerField(null=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["user_id"], condition=Q(confirmed=None), name="kyc_one_open_proposal"),
            models.CheckConstraint(condition=~Q(proposed_by=F("user_id")), name="kyc_proposal_not_own"),
            models.CheckConstraint(
                condition=Q(confirmed=None, decided_by=None, decided_at=None)
                | Q(confirmed=False, decided_by__isnull=False, decided_at__isnull=False)
                | Q(confirmed=True, decided_by__isnull=False, decided_at__isnull=False)
                & ~Q(decided_by=F("proposed_by"))
                & ~Q(decided_by=F("user_id")),
                name="kyc_proposal_four_eyes",
            ),
        ]

    def __str__(self):
        return f"level_proposal:{self.id}"
