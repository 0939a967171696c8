"""What a person was told inside the site. What must never happen here: a secret, or a link that acts by being opened."""

from django.db import models


class Notification(models.Model):
    """One line in somebody's inbox. An event tells a person once."""

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField()
    event_id = models.BigIntegerField(help_text="The outbox event it tells of.")
    kind = models.CharField(max_length=40)
    title = models.CharField(max_length=120)
    body = models.CharField(max_length=500, blank=True)
    link = models.CharField(max_length=200, blank=True, help_text="A path of ours.")
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["user_id", "event_id"], name="notifications_told_once")]
        indexes = [
            models.Index(fields=["user_id", "-id"], name="notifications_inbox"),
            models.Index(fields=["user_id"], condition=models.Q(read_at=None), name="notifications_unread"),
        ]

    def __str__(self):
        return f"{self.kind} for user:{self.user_id}"
