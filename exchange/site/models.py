"""What the site itself keeps: answers given under an idempotency key, starred markets, statements, incidents."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy


class IdempotencyKey(models.Model):
    """One key of one customer: what was asked with it and, once there is one, the answer that was given."""

    user_id = models.BigIntegerField()
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64, help_text="SHA-256 of method, path and body.")
    status = models.SmallIntegerField(
        null=True, help_text="HTTP status of the answer; null while it is being worked out."
    )
    answer = models.TextField(default="", blank=True)
    started_at = models.DateTimeField()
    backend = models.IntegerField(
        null=True, help_text="PostgreSQL's process of the connection that took it: gone, so is who works on it."
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_id", "key"], name="site_pages_idempotency_key_once")]
        indexes = [models.Index(fields=["started_at"], name="site_pages_idempotency_started")]
        db_table = "site_pages_idempotency_key"

    def __str__(self) -> str:
        return f"{self.user_id}:{self.key}"


class Favourite(models.Model):
    """A market that a customer keeps at the top of the list."""

    user_id = models.BigIntegerField()
    market_id = models.SmallIntegerField()
    added_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_id", "market_id"], name="site_pages_favourite_once")]
        db_table = "site_pages_favourite"

    def __str__(self) -> str:
        return f"{self.user_id}:{self.market_id}"


class Statement(models.Model):
    """A statement of account that a customer asked for, in sealed pieces. What it says stands in the ledger; this is a copy that
    is destroyed after some days, and made again as often as it is asked for."""

    class State(models.TextChoices):
        REQUESTED = "requested", "Requested"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"
        EXPIRED = "expired", "Expired"

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        PDF = "pdf", "PDF"

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.REQUESTED)
    format = models.CharField(max_length=3, choices=Format)
    asset_id = models.SmallIntegerField(null=True, blank=True, help_text="Empty: all of them.")
    since = models.DateField()
    until = models.DateField(help_text="The last day, which it includes (UTC).")
    language = models.CharField(max_length=16)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=200, blank=True)
    requested_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    entries = models.BigIntegerField(default=0, help_text="Lines of the ledger that it covers.")
    size = models.BigIntegerField(default=0, help_text="Bytes of the file.")
    pieces = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        db_table = "site_pages_statement"
        indexes = [
            models.Index(fields=["user_id", "-id"], name="site_pages_statement_of"),
            models.Index(fields=["id"], condition=models.Q(state="requested"), name="site_pages_statement_waiting"),
            models.Index(fields=["expires_at"], condition=models.Q(state="ready"), name="site_pages_statement_over"),
        ]

    def __str__(self) -> str:
        return f"statement {self.id} of user:{self.user_id}"


class StatementPiece(models.Model):
    """A piece of the file, sealed for its place: it opens at no other, and not as the last where it is not."""

    id = models.BigAutoField(primary_key=True)
    statement = models.ForeignKey(Statement, on_delete=models.CASCADE, related_name="+")
    number = models.PositiveIntegerField()
    sealed = models.BinaryField()

    class Meta:
        db_table = "site_pages_statement_piece"
        constraints = [models.UniqueConstraint(fields=["statement", "number"], name="site_pages_statement_piece_once")]

    def __str__(self) -> str:
        return f"piece {self.number} of statement {self.statement_id}"


class Incident(models.Model):
    """Something of ours did not work for customers; staff write what they know, the status page shows it, open ones first."""

    class Part(models.TextChoices):
        EVERYTHING = "everything", gettext_lazy("The whole site")
        LOG_IN = "log_in", gettext_lazy("Logging in")
        TRADING = "trading", gettext_lazy("Trading")
        DEPOSITS = "deposits", gettext_lazy("Deposits")
        WITHDRAWALS = "withdrawals", gettext_lazy("Withdrawals")
        API = "api", gettext_lazy("API")
        OTHER = "other", gettext_lazy("Something else")

    id = models.BigAutoField(primary_key=True)
    part = models.CharField(max_length=12, choices=Part)
    words = models.JSONField(help_text="The headline by language.")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True, help_text="Empty: it goes on.")

    class Meta:
        ordering = ["-id"]
        db_table = "site_pages_incident"
        indexes = [models.Index(fields=["id"], condition=models.Q(ended_at=None), name="site_pages_incident_open")]
        constraints = [
            models.CheckConstraint(condition=models.Q(words__has_key="en"), name="site_pages_incident_in_english"),
            models.CheckConstraint(
                condition=models.Q(ended_at=None) | models.Q(ended_at__gte=models.F("started_at")),
                name="site_pages_incident_ends_after_it_began",
            ),
        ]

    def __str__(self) -> str:
        return str(self.words.get("en", self.id))


class IncidentNews(models.Model):
    """One piece of news about an incident. What was published stays as it was: a correction is another one."""

    class State(models.TextChoices):
        LOOKING = "looking", gettext_lazy("We are looking into it")
        FOUND = "found", gettext_lazy("We know the cause")
        WATCHING = "watching", gettext_lazy("Mended, and we keep watching")
        OVER = "over", gettext_lazy("Over")

    id = models.BigAutoField(primary_key=True)
    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="news")
    state = models.CharField(max_length=8, choices=State)
    words = models.JSONField(help_text="What is known, by language.")
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        db_table = "site_pages_incident_news"
        constraints = [
            models.CheckConstraint(condition=models.Q(words__has_key="en"), name="site_pages_incident_news_in_english")
        ]

    def __str__(self) -> str:
        return str(self.words.get("en", self.id))
