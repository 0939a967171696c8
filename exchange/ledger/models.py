"""The book's rows, for reading and for the few columns that may change. The tables are made in SQL (migrations/_tables.py).

Imported from inside exchange.ledger only. What must never happen here: a model that writes a balance, an entry or a
transfer: the run-time roles have no right to, and everything posted goes through ledger_post (see bulk.py).
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Amount(models.DecimalField):
    """A whole number of base units: `numeric(78,0)` in the database, `int` in Python."""

    def __init__(self, **kwargs) -> None:
        super().__init__(**{**kwargs, "max_digits": 78, "decimal_places": 0})

    def deconstruct(self):
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_digits"], kwargs["decimal_places"]
        return name, path, args, kwargs

    def from_db_value(self, value, expression, connection) -> int | None:
        return None if value is None else int(value)

    def to_python(self, value) -> int | None:
        return value if isinstance(value, int) else int(super().to_python(value))


class Account(models.Model):
    """One owner's, or one house purpose's, money in one asset. `balance` is moved by entries alone."""

    id = models.BigAutoField(primary_key=True)
    kind = models.TextField()
    asset_id = models.IntegerField()
    owner_id = models.BigIntegerField(null=True)
    label = models.TextField(default="")
    balance = Amount(default=0, editable=False)
    held = Amount(default=0, editable=False)
    frozen = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "ledger_account"

    def __str__(self) -> str:
        return f"{self.kind} account {self.id} in asset {self.asset_id}"


class Writer(models.Model):
    """A hash chain: an engine shard's own, or one of the lanes that services share."""

    id = models.SmallAutoField(primary_key=True)
    name = models.TextField(unique=True)
    lane = models.BooleanField(default=False)
    seq = models.BigIntegerField(default=0)
    head = models.BinaryField()

    class Meta:
        managed = False
        db_table = "ledger_writer"

    def __str__(self) -> str:
        return self.name


class Batch(models.Model):
    """The transfers of one post, sealed by a hash over them and over the batch before in the same chain."""

    id = models.BigAutoField(primary_key=True)
    writer_id = models.SmallIntegerField()
    seq = models.BigIntegerField()
    first_transfer_id = models.BigIntegerField()
    last_transfer_id = models.BigIntegerField()
    transfers = models.IntegerField()
    posted_at = models.DateTimeField()
    previous = models.BinaryField()
    hash = models.BinaryField()

    class Meta:
        managed = False
        db_table = "ledger_batch"

    def __str__(self) -> str:
        return f"batch {self.seq} of writer {self.writer_id}"


class Transfer(models.Model):
    """Money moved once; never changed, never deleted."""

    id = models.BigIntegerField(primary_key=True)
    uuid = models.UUIDField()
    batch_id = models.BigIntegerField()
    kind = models.TextField()
    reference = models.TextField()
    posted_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "ledger_transfer"

    def __str__(self) -> str:
        return f"{self.kind} {self.uuid}"


class Entry(models.Model):
    """One line of a transfer. Its id is the transfer's id × 32 + its place, so a transfer's entries are a range."""

    id = models.BigIntegerField(primary_key=True)
    transfer = models.ForeignKey(Transfer, on_delete=models.DO_NOTHING, db_constraint=False, related_name="entries")
    account = models.ForeignKey(Account, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    amount = Amount()

    class Meta:
        managed = False
        db_table = "ledger_entry"

    def __str__(self) -> str:
        return f"{self.amount:+d} to account {self.account_id}"


class TransferKey(models.Model):
    """Which transfer a client's UUID stands for, and the digest of its body. Kept for 400 days."""

    uuid = models.UUIDField(primary_key=True)
    transfer_id = models.BigIntegerField()
    digest = models.BinaryField()

    class Meta:
        managed = False
        db_table = "ledger_transfer_key"

    def __str__(self) -> str:
        return str(self.uuid)


class Hold(models.Model):
    """A part of a balance set aside for something pending; resolved once."""

    id = models.UUIDField(primary_key=True)
    account_id = models.BigIntegerField()
    amount = Amount()
    state = models.TextField(default="pending")
    reference = models.TextField(default="")
    transfer_uuid = models.UUIDField(null=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "ledger_hold"

    def __str__(self) -> str:
        return f"{self.state} hold {self.id}"


class Restraint(models.Model):
    """What a freeze and a stop have in common: why, by whom, since when, and how it was lifted."""

    id = models.BigAutoField(primary_key=True)
    source = models.TextField()
    reason = models.TextField()
    actor_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.BigIntegerField(null=True)
    lifted_reason = models.TextField(default="")

    LIFT_COLUMNS: ClassVar[tuple[str, ...]] = ("lifted_at", "lifted_by", "lifted_reason")

    class Meta:
        abstract = True
        managed = False


class Freeze(Restraint):
    """A customer who may not spend, for one reason; several may stand at once."""

    owner_id = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "ledger_freeze"

    def __str__(self) -> str:
        return f"freeze of owner {self.owner_id} by {self.source}"


class Stop(Restraint):
    """Something nobody may do at all, until it is lifted with a reason."""

    scope = models.TextField()

    class Meta:
        managed = False
        db_table = "ledger_stop"

    def __str__(self) -> str:
        return f"stop of {self.scope} by {self.source}"


class Checkpoint(models.Model):
    """An account's sum of entries as the continuous reconciliation has proved it."""

    account_id = models.BigIntegerField(primary_key=True)
    balance = Amount()

    class Meta:
        managed = False
        db_table = "ledger_checkpoint"

    def __str__(self) -> str:
        return f"checkpoint of account {self.account_id}"


class Watermark(models.Model):
    """Up to which batch of a writer the checkpoints go. A writer's batches commit in order, so nothing hides below it."""

    writer_id = models.SmallIntegerField(primary_key=True)
    seq = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "ledger_watermark"

    def __str__(self) -> str:
        return f"writer {self.writer_id} up to {self.seq}"
