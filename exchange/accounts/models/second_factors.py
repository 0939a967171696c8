"""What stands beside allauth's factors: a django-otp device a person, which slows guesses down, and resets by two of staff.

What must never happen here: a secret (allauth's rows keep those, sealed), or a reset that one person asked for and carried out.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db import models, transaction
from django.db.models import F, Q
from django_otp.models import Device, ThrottlingMixin


class FactorDevice(ThrottlingMixin, Device):
    """A person's second factors as django-otp sees them. allauth holds the secret; the waits after wrong codes are here.

    Only who is logged in reaches it (a step-up), so nobody can make somebody else wait.
    """

    id = models.BigAutoField(primary_key=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user"], name="accounts_one_factor_device")]

    def get_throttle_factor(self) -> int:
        return 1  # seconds after the first wrong code; twice as long after each further one

    def verify_token(self, token: str) -> bool:
        """django-otp's question: whether `token` is the person's present TOTP code. Answered by allauth's check."""
        from exchange.accounts.second_factors import codes

        return self.guarded(lambda: codes.check(user_id=self.user_id, code=token))

    def guarded(self, check: Callable[[], bool]) -> bool:
        """What `check` says, asked at most once at a time for this person, and not at all while a wait is on."""
        with transaction.atomic():
            row = FactorDevice.objects.select_for_update().get(pk=self.pk)
            if not row.verify_is_allowed()[0]:
                return False
            right = check()
            if right:
                row.throttle_reset()
            else:
                row.throttle_increment()
            return right


class FactorReset(models.Model):
    """A customer lost every factor. One of staff saw to it that it is them, another carries it out."""

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField(db_index=True)
    reason = models.CharField(max_length=500, help_text="How it was made sure that it is them. No personal data.")
    asked_by = models.BigIntegerField()
    asked_at = models.DateTimeField()
    decided_by = models.BigIntegerField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    done = models.BooleanField(null=True, blank=True, help_text="Carried out, or refused; empty while it waits.")
    refusal = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(done=None) | Q(done=False) | ~Q(decided_by=F("asked_by")), name="accounts_reset_by_two"
            ),
            models.CheckConstraint(
                condition=Q(done=None, decided_by=None, decided_at=None)
                | Q(done__isnull=False, decided_by__isnull=False, decided_at__isnull=False),
                name="accounts_reset_decided_whole",
            ),
            models.CheckConstraint(
                condition=~Q(asked_by=F("user_id")) & (Q(decided_by=None) | ~Q(decided_by=F("user_id"))),
                name="accounts_reset_by_others",
            ),
            models.UniqueConstraint(fields=["user_id"], condition=Q(done=None), name="accounts_one_open_reset"),
        ]

    def __str__(self) -> str:
        return f"reset of user:{self.user_id}"
