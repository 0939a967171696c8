"""Who did what, to what, when and from where: written once, sealed at the commit, never changed.

`Record` is what a room says. `Seal` is written by the database itself when the transaction commits: it numbers the record
without a gap and hashes it together with the seal before. `Tip` is the last seal. The run-time role can insert records and
read; it cannot write a seal, and nobody's UPDATE or DELETE passes the triggers.

What must never happen here: a person's name or e-mail in a record (actors are ids; erasure must not need a change here),
or a secret.
"""

from django.db import models


class Record(models.Model):
    """One deed. Partitioned by id; the database makes partitions ahead."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    actor_id = models.BigIntegerField(
        null=True, help_text="The user who did it; empty: the house itself, or nobody known."
    )
    action = models.CharField(max_length=80)
    subject = models.CharField(max_length=200)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    origin = models.CharField(max_length=400, blank=True)

    class Meta:
        managed = False
        ordering = ["-id"]

    def __str__(self):
        return f"{self.action} {self.subject}"


class Seal(models.Model):
    """A record's place in the chain."""

    seq = models.BigIntegerField(primary_key=True)
    record_id = models.BigIntegerField(unique=True)
    hash = models.BinaryField(max_length=32)

    class Meta:
        managed = False
        ordering = ["-seq"]

    def __str__(self):
        return f"#{self.seq}"


class Tip(models.Model):
    """The chain's end, one row: what the next seal is hashed onto."""

    id = models.SmallIntegerField(primary_key=True)
    seq = models.BigIntegerField()
    hash = models.BinaryField(max_length=32)

    class Meta:
        managed = False

    def __str__(self):
        return f"#{self.seq}"
