"""The data keys: what the house's secrets are encrypted with, themselves encrypted under the master key.

What must never happen here: a key in the clear, or a key row that goes while something is still sealed with it.
"""

from django.db import models
from django.db.models import Q


class DataKey(models.Model):
    """One version of a purpose's key. The newest that is not retired seals; every one opens."""

    id = models.BigAutoField(primary_key=True)
    purpose = models.SlugField(max_length=60)
    version = models.PositiveIntegerField()
    master_id = models.CharField(max_length=16, help_text="Which master key wraps it.")
    wrapped = models.BinaryField(max_length=60)
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, help_text="From here on it only opens.")

    class Meta:
        db_table = "secrets_data_key"
        constraints = [
            models.UniqueConstraint(fields=["purpose", "version"], name="secrets_data_key_version"),
            models.UniqueConstraint(
                fields=["purpose"], condition=Q(retired_at=None), name="secrets_one_sealing_key_a_purpose"
            ),
        ]

    def __str__(self):
        return f"{self.purpose} v{self.version}"


class SubjectKey(models.Model):
    """That a person has, or had, a key of his own. The key itself lies in a file outside the database and its backups."""

    id = models.BigAutoField(primary_key=True)
    subject = models.CharField(max_length=80, help_text='Whose: "customer:7".')
    file = models.UUIDField(unique=True, help_text="Which file holds it, wrapped under the master key.")
    created_at = models.DateTimeField()
    destroyed_at = models.DateTimeField(null=True, help_text="From here on nothing sealed with it opens any more.")

    class Meta:
        db_table = "secrets_subject_key"
        constraints = [
            models.UniqueConstraint(
                fields=["subject"], condition=Q(destroyed_at=None), name="secrets_one_living_key_a_subject"
            ),
        ]

    def __str__(self):
        return f"{self.subject} #{self.id}"
