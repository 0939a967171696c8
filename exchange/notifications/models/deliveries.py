"""One event's way out of the house to one target of one person: an address, a browser, a phone.

The row is there before anything is sent, and it is there once: (event, person, channel, target) is unique. What must never
happen here: words or a secret (they are made anew from the event when it is sent), or a row that goes while it is owed.
"""

from django.db import models
from django.db.models import Q


class Delivery(models.Model):
    """What has to be sent, and what became of it."""

    class Channel(models.TextChoices):
        EMAIL = "email", "E-mail"
        WEB_PUSH = "web_push", "Push to a browser"
        FCM = "fcm", "Push through FCM"
        APNS = "apns", "Push through APNs"
        SMS = "sms", "SMS"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENDING = "sending", "Being sent"
        SENT = "sent", "Sent"
        DEAD = "dead", "Given up"
        DROPPED = "dropped", "Not needed any more"
        UNKNOWN = "unknown", "Unknown whether it was sent"

    id = models.BigAutoField(primary_key=True)
    event_id = models.BigIntegerField(help_text="The outbox event it tells of.")
    user_id = models.BigIntegerField()
    kind = models.CharField(max_length=40)
    channel = models.CharField(max_length=10, choices=Channel)
    target = models.CharField(
        max_length=64, help_text="Which of the person's targets: a device's number, or the address's hash."
    )
    address = models.EmailField(blank=True, help_text="Of an e-mail: where to, as it stood when the event happened.")
    device_id = models.BigIntegerField(null=True, blank=True)
    provider = models.CharField(max_length=80, help_text="Who carries it; all that one carries waits where it is down.")
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(help_text="Not tried before; while it is being sent: the end of the lease.")
    expires_at = models.DateTimeField(help_text="Given up after that.")
    error = models.CharField(max_length=300, blank=True, help_text="What the last attempt ended with.")
    reference = models.CharField(max_length=120, blank=True, help_text="The provider's own number for it.")
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["event_id", "user_id", "channel", "target"], name="notifications_delivery_once"
            ),
            models.CheckConstraint(
                condition=Q(state="sent", sent_at__isnull=False) | (~Q(state="sent") & Q(sent_at=None)),
                name="notifications_delivery_time",
            ),
        ]
        indexes = [
            models.Index(
                fields=["channel", "due_at"],
                condition=Q(state__in=["waiting", "sending"]),
                name="notifications_delivery_due",
            ),
            models.Index(fields=["user_id", "-id"], name="notifications_delivery_person"),
            models.Index(fields=["id"], condition=Q(state="dead"), name="notifications_delivery_dead"),
            models.Index(fields=["created_at"], name="notifications_delivery_age"),
        ]

    def __str__(self):
        return f"{self.kind} for user:{self.user_id} by {self.channel}: {self.state}"


class Provider(models.Model):
    """Who carries messages for us, while it fails. There is no row, or one without a pause, where all is well."""

    name = models.CharField(max_length=80, primary_key=True)
    failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    paused_until = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self):
        return self.name
