"""What the site itself keeps: the answers given under an idempotency key, and which markets a customer has starred."""

from __future__ import annotations

from django.db import models


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
