"""A change that one of staff wishes, and what another said to it.

The database holds to it as well: the run-time role may write what was decided and nothing else, once, and a change that took
effect has two names. What must never happen here: a person's words or data in the clear (a kind that needs some seals them).
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from exchange.proposals import registry


class Proposal(models.Model):
    """One wish. `before` is what stood when it was made: where that has changed since, it is of no use any more."""

    class Outcome(models.TextChoices):
        WAITING = "", _("Waits for somebody else")
        APPLIED = "applied", _("In force")
        UNKNOWN = "unknown", _("Approved; the engine has not answered")
        REFUSED = "refused", _("Refused")

    kind = models.CharField(max_length=40)
    subject = models.CharField(max_length=80, help_text="What it would change: market:BTC-USD, user:12.")
    before = models.JSONField(help_text="What stands, of what would change.")
    after = models.JSONField(help_text="What is to stand.")
    reason = models.CharField(max_length=500)
    proposed_by = models.BigIntegerField()
    proposed_at = models.DateTimeField()
    outcome = models.CharField(max_length=8, choices=Outcome, default=Outcome.WAITING, blank=True)
    decided_by = models.BigIntegerField(null=True)
    decided_at = models.DateTimeField(null=True)
    refusal = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        ordering = ["-id"]
        verbose_name = _("proposal")
        verbose_name_plural = _("proposals")
        constraints = [
            models.UniqueConstraint(fields=["kind", "subject"], condition=Q(outcome=""), name="proposals_one_waits"),
            models.CheckConstraint(
                condition=Q(outcome="", decided_by=None, decided_at=None)
                | (~Q(outcome="") & Q(decided_by__isnull=False, decided_at__isnull=False)),
                name="proposals_decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(outcome__in=["applied", "unknown"]) | ~Q(decided_by=F("proposed_by")),
                name="proposals_two_people",
            ),
        ]
        indexes = [models.Index(fields=["proposed_at"], condition=Q(outcome=""), name="proposals_waiting")]

    def __str__(self) -> str:
        found = registry.find(self.kind)
        return f"{found.title if found else self.kind}: {self.subject}"
