"""What the house tells everybody: a page, a banner for a while, and, where it matters, a notification.

What must never happen here: a text that shows before its time, or an announcement that people are notified of twice.
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy


class Announcement(models.Model):
    """One announcement; its words stand in `AnnouncementText`, one row a language."""

    class Kind(models.TextChoices):
        NEWS = "news", gettext_lazy("News")
        MAINTENANCE = "maintenance", gettext_lazy("Maintenance")
        LISTING = "listing", gettext_lazy("Markets and assets")
        SECURITY = "security", gettext_lazy("Security")

    id = models.BigAutoField(primary_key=True)
    slug = models.SlugField(max_length=80, unique=True, help_text="Its address: /announcements/<this>/.")
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.NEWS)
    published_at = models.DateTimeField(
        null=True, blank=True, help_text="Shows from then on (UTC). Empty: a draft, which staff alone see."
    )
    banner_until = models.DateTimeField(
        null=True, blank=True, help_text="Stands on top of every page until then (UTC). Empty: no banner."
    )
    tell = models.BooleanField(
        "notify customers", default=False, help_text="Every customer gets a notification once it is published."
    )
    told_event_id = models.BigIntegerField(null=True, blank=True, editable=False)
    told_up_to = models.BigIntegerField(default=0, editable=False, help_text="The last person who was told.")
    told_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="When the last one was.")
    created_by = models.BigIntegerField(editable=False)
    created_at = models.DateTimeField(editable=False)

    class Meta:
        ordering = ["-published_at", "-id"]
        indexes = [
            models.Index(fields=["-published_at", "-id"], name="notifications_announced"),
            models.Index(fields=["id"], condition=Q(tell=True, told_at=None), name="notifications_to_announce"),
        ]

    def __str__(self):
        return self.slug


class AnnouncementText(models.Model):
    """The words in one language. English stands in where a language has none."""

    id = models.BigAutoField(primary_key=True)
    announcement = models.ForeignKey(Announcement, on_delete=models.CASCADE, related_name="texts")
    language = models.CharField(max_length=10)
    title = models.CharField(max_length=100)
    summary = models.CharField(max_length=240, help_text="For the banner, the list and the notification.")
    body = models.TextField(help_text="Plain text; an empty line begins a paragraph, addresses become links.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["announcement", "language"], name="notifications_text_once")]

    def __str__(self):
        return f"{self.title} ({self.language})"
