"""What guards a customer: known devices, pauses and freezes, links in e-mails, the word that our e-mails carry.

What must never happen here: a token or a device's secret in the clear (only hashes are kept), a fingerprint of a browser, or
a row that is deleted to undo what it says: pauses and freezes are lifted, by name and with a reason.
"""

from django.db import models
from django.db.models import Q


class Device(models.Model):
    """One browser or app of one customer, known by a random cookie of ours that it was given."""

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField()
    secret_hash = models.CharField(max_length=64, help_text="SHA-256 over the customer and the cookie's secret.")
    browser = models.CharField(max_length=60)
    address = models.CharField(max_length=64)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_id", "secret_hash"], name="accounts_device_once")]

    def __str__(self):
        return f"{self.browser} of user:{self.user_id}"


class Freeze(models.Model):
    """A customer said "this was not me": nobody logs in and nothing leaves until staff lift it."""

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField()
    reason = models.CharField(max_length=200)
    sent_to = models.EmailField(blank=True, help_text="The address whose link was followed.")
    was_active = models.BooleanField(help_text="Whether the log-in was open before; lifting puts back that.")
    frozen_at = models.DateTimeField()
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.BigIntegerField(null=True, blank=True)
    lift_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["user_id"], condition=Q(lifted_at=None), name="accounts_one_open_freeze")
        ]

    def __str__(self):
        return f"freeze {self.id} of user:{self.user_id}"


class Pause(models.Model):
    """Withdrawals of one customer wait until a time; without one, until the freeze it belongs to is lifted."""

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField()
    reason = models.CharField(max_length=200)
    actor_id = models.BigIntegerField(null=True, blank=True)
    began_at = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)
    freeze = models.ForeignKey(Freeze, null=True, blank=True, on_delete=models.PROTECT, related_name="pauses")
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(until__isnull=False) | Q(freeze__isnull=False), name="accounts_pause_has_an_end"
            )
        ]
        indexes = [models.Index(fields=["user_id"], condition=Q(lifted_at=None), name="accounts_pause_standing")]

    def __str__(self):
        return f"pause of user:{self.user_id}"


class NotMeLink(models.Model):
    """The "this was not me" of one e-mail. Good once, for whoever has the mailbox, without a log-in."""

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField()
    token_hash = models.CharField(max_length=64, unique=True)
    sent_to = models.EmailField()
    about = models.CharField(max_length=40, help_text="The kind of message it stood in.")
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["user_id"], name="accounts_not_me_user"),
            models.Index(fields=["expires_at"], name="accounts_not_me_expires"),
        ]

    def __str__(self):
        return f"not-me link {self.id} of user:{self.user_id}"


class MailWord(models.Model):
    """The word a customer chose; each of our e-mails to him carries it, and no forger knows it. Sealed."""

    user_id = models.BigIntegerField(primary_key=True)
    sealed = models.BinaryField(max_length=400)
    chosen_at = models.DateTimeField()

    def __str__(self):
        return f"mail word of user:{self.user_id}"
