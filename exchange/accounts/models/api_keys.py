"""API keys. Of an Ed25519 pair the public half alone is kept; an HMAC secret is sealed (`exchange.secrets`), bound to its key.

What must never happen here: a secret in the clear, a key that may withdraw from any address of the net, or a key that loses its
row while a record still speaks of it (a revoked one stays, without its secret).
"""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

LABEL_CHARACTERS_MAX = 60


class ApiKey(models.Model):
    """One key of one customer. What it may do never widens: another need is another key."""

    id = models.BigAutoField(primary_key=True)
    key_id = models.CharField(max_length=27, unique=True, help_text="What its requests name it by; no secret.")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    label = models.CharField(max_length=LABEL_CHARACTERS_MAX)
    kind = models.CharField(max_length=8, choices=[("ed25519", "Ed25519"), ("hmac", "HMAC-SHA256")])
    public_key = models.BinaryField(null=True, max_length=32)
    sealed_secret = models.BinaryField(null=True, max_length=200)
    trade = models.BooleanField(default=False)
    withdraw = models.BooleanField(default=False)
    networks = models.JSONField(default=list, help_text="The only places it is taken from; empty: any.")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    revoked_why = models.CharField(max_length=40, blank=True)
    last_used_at = models.DateTimeField(null=True)
    last_used_address = models.CharField(max_length=64, blank=True)

    class Meta:
        db_table = "accounts_api_key"
        indexes: ClassVar = [models.Index(fields=["user", "-id"], name="accounts_api_key_of_user")]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="accounts_api_key_one_material",
                condition=Q(kind="ed25519", public_key__isnull=False, sealed_secret=None)
                | Q(kind="hmac", public_key=None) & (Q(sealed_secret__isnull=False) | Q(revoked_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="accounts_api_key_withdraws_from_known_networks", condition=Q(withdraw=False) | ~Q(networks=[])
            ),
            models.CheckConstraint(
                name="accounts_api_key_ends_after_it_begins",
                condition=Q(expires_at=None) | Q(expires_at__gt=F("created_at")),
            ),
        ]

    def __str__(self) -> str:
        return self.key_id
