"""Lists of people and addresses that may not be served, and the cases that come of a match.

An entry's row holds one state of one entry, from the version that brought it to the last that had it; a version's list is the
rows that span it. So old versions are kept whole, and a new one writes what changed. A case names a customer and an entry by
their ids.

What must never happen here: a customer's name or birth date in a case (they are opened from their sealed place when somebody
looks), an entry that is changed or deleted, or two versions of one list in force.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q


class ListVersion(models.Model):
    """One publication of one list: taken and in force, taken and followed by another, or refused."""

    class State(models.TextChoices):
        IN_FORCE = "in_force", "In force"
        REPLACED = "replaced", "Replaced"
        REFUSED = "refused", "Refused"

    list_code = models.CharField("list", max_length=20)
    state = models.CharField(max_length=10, choices=State)
    published = models.DateField(null=True, help_text="The day that the file names; empty where it names none.")
    sha256 = models.CharField(max_length=64)
    source = models.CharField(max_length=300, help_text="The address it was fetched from, or the names of its files.")
    loaded_at = models.DateTimeField()
    loaded_by = models.BigIntegerField(null=True, help_text="The member of staff; empty: the house itself.")
    entries = models.PositiveIntegerField(default=0)
    names = models.PositiveIntegerField(default=0)
    addresses = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0, help_text="Entries that are new or changed.")
    removed = models.PositiveIntegerField(default=0, help_text="Entries that are gone or changed.")
    refusal = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        verbose_name = "version of a sanctions list"
        verbose_name_plural = "sanctions lists"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["list_code"], condition=Q(state="in_force"), name="kyc_one_version_in_force"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.list_code} #{self.pk}"


class ListedEntry(models.Model):
    """One state of an entry. In force while `last_version` is empty."""

    list_code = models.CharField("list", max_length=20)
    uid = models.CharField(max_length=20)
    digest = models.CharField(max_length=64)
    body = models.JSONField()
    first_version = models.ForeignKey(ListVersion, on_delete=models.PROTECT, related_name="+")
    last_version = models.ForeignKey(ListVersion, on_delete=models.PROTECT, related_name="+", null=True)

    class Meta:
        verbose_name = "listed entry"
        verbose_name_plural = "listed entries"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["list_code", "uid"], condition=Q(last_version=None), name="kyc_listed_once"
            ),
            models.CheckConstraint(
                condition=Q(last_version=None) | Q(last_version__gte=F("first_version")), name="kyc_listed_forwards"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.list_code} {self.uid}"


class ListedAddress(models.Model):
    """An entry's address of a coin, found by the key that it stands for."""

    entry = models.ForeignKey(ListedEntry, on_delete=models.PROTECT, related_name="addresses")
    key = models.CharField(max_length=210, db_index=True)
    currency = models.CharField(max_length=8)
    address = models.CharField(max_length=200)

    class Meta:
        verbose_name = "listed address"
        verbose_name_plural = "listed addresses"

    def __str__(self) -> str:
        return f"{self.currency} {self.address}"


class Screening(models.Model):
    """A customer's last screening: against the lists as they were at `epoch`, the highest version of any. 0: not yet screened."""

    user_id = models.BigIntegerField(primary_key=True)
    epoch = models.BigIntegerField(default=0)
    # Reached by the walk through all customers, which goes on behind the last of these.
    enrolled = models.BooleanField(default=False)
    screened_at = models.DateTimeField(null=True)
    # Set where he could not be screened just now (his words did not open): until then the others come first.
    retry_at = models.DateTimeField(null=True)
    # Keyed, so that it tells nothing: whether what we know of the customer is what was screened.
    fingerprint = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name = "screened customer"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["epoch", "user_id"], name="kyc_screening_epoch"),
            models.Index(fields=["screened_at"], name="kyc_screening_age"),
            models.Index(fields=["-user_id"], condition=Q(enrolled=True), name="kyc_screening_enrolled"),
        ]

    def __str__(self) -> str:
        return f"user:{self.user_id}"


class ScreeningCase(models.Model):
    """A customer, and an entry that he or his coins may have to do with; for staff to decide."""

    class Kind(models.TextChoices):
        PERSON = "person", "Name"
        WITHDRAWAL = "withdrawal", "Address paid to"
        DEPOSIT = "deposit", "Address paid from"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        CLEARED = "cleared", "Cleared"
        CONFIRMED = "confirmed", "Confirmed"

    user_id = models.BigIntegerField()
    kind = models.CharField(max_length=10, choices=Kind)
    entry = models.ForeignKey(ListedEntry, on_delete=models.PROTECT, related_name="cases")
    # The same entry in its later states is the same one to a case.
    list_code = models.CharField("list", max_length=20)
    entry_uid = models.CharField(max_length=20)
    # What it hangs on beside the customer: "" for his name, else "deposit:<id>" or the listed address's key.
    subject = models.CharField(max_length=220, blank=True)
    network = models.CharField(max_length=20, blank=True)
    score = models.PositiveSmallIntegerField(default=100)
    strong = models.BooleanField(default=True)
    name_place = models.PositiveSmallIntegerField(null=True, help_text="Which of the entry's names fits best.")
    birth = models.CharField(max_length=5, blank=True, help_text="same, other, or empty where one side does not say.")
    country = models.CharField(max_length=5, blank=True, help_text="As for the birth.")
    fingerprint = models.CharField(max_length=64, blank=True, help_text="Of what was known of the customer then.")
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    opened_at = models.DateTimeField()
    seen_at = models.DateTimeField(help_text="When it was last found again.")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-strong", "-score", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["user_id", "kind", "list_code", "entry_uid", "subject"],
                condition=Q(state__in=["open", "confirmed"]),
                name="kyc_one_live_case",
            ),
            models.CheckConstraint(
                condition=Q(state="open", decided_at=None) | (~Q(state="open") & Q(decided_at__isnull=False)),
                name="kyc_case_decided",
            ),
            models.CheckConstraint(condition=Q(score__lte=100), name="kyc_case_score"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user_id"], condition=Q(state__in=["open", "confirmed"]), name="kyc_case_live"),
            models.Index(fields=["user_id", "list_code", "entry_uid"], name="kyc_case_of_entry"),
            models.Index(fields=["subject"], condition=~Q(subject=""), name="kyc_case_subject"),
        ]

    def __str__(self) -> str:
        return f"case:{self.pk}"


class ScreeningOpinion(models.Model):
    """What one member of staff said to a case. Added to, never changed."""

    class Verdict(models.TextChoices):
        CLEAR = "clear", "Somebody else: clear"
        CONFIRM = "confirm", "The same: confirm"

    case = models.ForeignKey(ScreeningCase, on_delete=models.PROTECT, related_name="opinions")
    actor_id = models.BigIntegerField()
    verdict = models.CharField(max_length=8, choices=Verdict)
    reason = models.CharField(max_length=500)
    at = models.DateTimeField()
    # An opinion counts for the state in which the case then was.
    given_on = models.CharField(max_length=10, choices=ScreeningCase.State)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["case", "actor_id", "verdict", "given_on"], name="kyc_one_opinion_a_person"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} by {self.actor_id}"
