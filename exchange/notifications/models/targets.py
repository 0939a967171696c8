"""Where a person can be reached beside the e-mail address, and what they want there.

What must never happen here: a telephone number in the clear, a device of somebody who has logged out on it, or a token that
two people's messages go to.
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy


class PushDevice(models.Model):
    """A browser or a phone that takes pushes, as long as the log-in it was registered in lasts."""

    class Platform(models.TextChoices):
        WEB = "web_push", gettext_lazy("Browser")
        FCM = "fcm", gettext_lazy("Android phone")
        APNS = "apns", gettext_lazy("iPhone or iPad")

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField()
    platform = models.CharField(max_length=10, choices=Platform)
    token_hash = models.CharField(max_length=64, help_text="SHA-256 of platform and token.")
    token = models.TextField(help_text="The device's token; of a browser: the endpoint.")
    p256dh = models.CharField(max_length=120, blank=True)
    auth = models.CharField(max_length=40, blank=True)
    label = models.CharField(max_length=60)
    session_hash = models.CharField(max_length=64, help_text="SHA-256 of the log-in's key; the device goes with it.")
    created_at = models.DateTimeField()
    last_sent_at = models.DateTimeField(null=True, blank=True)
    dropped_at = models.DateTimeField(null=True, blank=True)
    drop_reason = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["token_hash"], condition=Q(dropped_at=None), name="notifications_one_person_a_device"
            )
        ]
        indexes = [
            models.Index(fields=["user_id"], condition=Q(dropped_at=None), name="notifications_devices"),
            models.Index(fields=["session_hash"], condition=Q(dropped_at=None), name="notifications_device_log_in"),
        ]

    def __str__(self):
        return f"{self.label} of user:{self.user_id}"


class Phone(models.Model):
    """A customer's number for SMS. The number is sealed; a code sent to it shows that it is theirs."""

    user_id = models.BigIntegerField(primary_key=True)
    sealed = models.BinaryField(max_length=400)
    ending = models.CharField(max_length=4, help_text="Its last digits, to be known again.")
    code_hash = models.CharField(max_length=64, blank=True)
    code_expires_at = models.DateTimeField(null=True, blank=True)
    tries_left = models.PositiveSmallIntegerField(default=0)
    sent = models.PositiveSmallIntegerField(default=0, help_text="Codes since `sent_since`.")
    sent_since = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self):
        return f"…{self.ending} of user:{self.user_id}"


class Preference(models.Model):
    """Where a person wants something else than what everybody has: one topic on one channel."""

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField()
    topic = models.CharField(max_length=20)
    channel = models.CharField(max_length=10)
    wanted = models.BooleanField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user_id", "topic", "channel"], name="notifications_preference_once")
        ]

    def __str__(self):
        return f"{self.topic} by {self.channel} for user:{self.user_id}: {self.wanted}"
