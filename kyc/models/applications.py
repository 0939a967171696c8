"""What a customer tells and shows us of himself, and what was decided of it.

Words are sealed with the customer's own key; pictures are sealed with it, too, and lie in files outside the database. The rows
here hold states, times and ids. What must never happen here: a name, a date of birth or an address in the clear, or a picture
in the database (its backups would keep them past the day on which they have to be gone).
"""

from __future__ import annotations

from typing import ClassVar
from uuid import uuid4

from django.db import models
from django.db.models import Q

from kyc.models.levels import Level


class State(models.TextChoices):
    DRAFT = "draft", "Being filled in"
    SUBMITTED = "submitted", "Waiting for review"
    IN_REVIEW = "in_review", "In review"
    RESUBMIT = "resubmit", "Asked again"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Turned down"
    EXPIRED = "expired", "Over"


OPEN = (State.DRAFT, State.SUBMITTED, State.IN_REVIEW, State.RESUBMIT)
EDITABLE = (State.DRAFT, State.RESUBMIT)
WAITING = (State.SUBMITTED, State.IN_REVIEW)


class Application(models.Model):
    """One attempt to be known at a level. `version` rises with every change of what is told or shown."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user_id = models.BigIntegerField()
    level = models.ForeignKey(Level, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    version = models.PositiveIntegerField(default=1)
    sealed = models.BinaryField(null=True, help_text="What the customer told, under his own key.")
    document_type = models.SlugField(max_length=20, blank=True, help_text="Which kind of document is shown.")
    told_groups = models.JSONField(default=list, help_text="Which groups of words are filled in; the words are sealed.")
    asked = models.JSONField(default=list, help_text="What has to be sent again; nothing else can be changed then.")
    reasons = models.JSONField(default=list, help_text="Codes of why it was turned down or sent back.")
    message = models.CharField(max_length=500, blank=True, help_text="Words to the customer beside the reasons.")
    reviewer_id = models.BigIntegerField(null=True, help_text="Who looks at it.")
    provider = models.SlugField(max_length=20, default="manual")
    provider_reference = models.CharField(max_length=80, blank=True, help_text="Its name at the provider.")
    provider_state = models.CharField(max_length=20, blank=True, help_text="How far it is there.")
    provider_answer = models.JSONField(default=dict, help_text="The provider's last answer, as fetched.")
    provider_due_at = models.DateTimeField(null=True, help_text="When something is to be done there next.")
    provider_failures = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True, help_text="An approval holds until then.")
    warned_days = models.PositiveSmallIntegerField(null=True, help_text="The notice given last, in days ahead.")
    ended_at = models.DateTimeField(null=True, help_text="From here the time runs during which it has to be kept.")
    erased_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["submitted_at", "created_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["user_id", "level"],
                condition=Q(state__in=["draft", "submitted", "in_review", "resubmit"]),
                name="kyc_one_open_application_a_level",
            ),
            models.UniqueConstraint(
                fields=["user_id", "level"], condition=Q(state="approved"), name="kyc_one_approval_a_level"
            ),
            models.UniqueConstraint(
                fields=["provider", "provider_reference"],
                condition=~Q(provider_reference=""),
                name="kyc_one_application_a_reference",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["rejected", "expired"], ended_at__isnull=False)
                | (~Q(state__in=["rejected", "expired"]) & Q(ended_at=None)),
                name="kyc_application_ended",
            ),
            models.CheckConstraint(
                condition=~Q(state="approved") | Q(expires_at__isnull=False), name="kyc_approval_expires"
            ),
            models.CheckConstraint(
                condition=Q(erased_at=None) | Q(sealed=None, state__in=["rejected", "expired"]),
                name="kyc_erased_application_is_empty",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user_id", "-created_at"], name="kyc_application_of_user"),
            models.Index(
                fields=["submitted_at"], condition=Q(state__in=["submitted", "in_review"]), name="kyc_application_queue"
            ),
            models.Index(fields=["expires_at"], condition=Q(state="approved"), name="kyc_application_expiry"),
            models.Index(fields=["-created_at"], name="kyc_application_made"),
            models.Index(
                fields=["state"],
                condition=Q(state__in=["submitted", "in_review", "resubmit"]),
                name="kyc_application_open",
            ),
            models.Index(
                fields=["provider_due_at"], condition=Q(provider_due_at__isnull=False), name="kyc_provider_due"
            ),
        ]

    def __str__(self) -> str:
        return f"application:{self.id}"


class Document(models.Model):
    """A picture. `id` names its file, which holds it re-encoded and sealed with the customer's own key."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="documents")
    kind = models.SlugField(max_length=30)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    size_bytes = models.PositiveIntegerField(help_text="Of the picture as it is kept.")
    uploaded_at = models.DateTimeField()
    replaced_at = models.DateTimeField(null=True, help_text="Another was sent in its place; it is kept as evidence.")
    provider_reference = models.CharField(max_length=80, blank=True)
    erased_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["uploaded_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["application", "kind"], condition=Q(replaced_at=None), name="kyc_one_picture_a_kind"
            )
        ]

    def __str__(self) -> str:
        return f"document:{self.id}"


class ApplicationStep(models.Model):
    """When an application came to a state, and by whom. Append-only."""

    id = models.BigAutoField(primary_key=True)
    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="steps")
    state = models.CharField(max_length=20)
    at = models.DateTimeField()
    actor_id = models.BigIntegerField(null=True, help_text="Empty: the house or its provider.")
    note = models.CharField(max_length=500, blank=True, help_text="For staff alone.")

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return f"{self.state} at {self.at:%Y-%m-%d}"


class ApplicationApproval(models.Model):
    """One member of staff said yes to one version of an application. Append-only."""

    id = models.BigAutoField(primary_key=True)
    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="approvals")
    actor_id = models.BigIntegerField()
    version = models.PositiveIntegerField()
    at = models.DateTimeField()
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["application", "actor_id", "version"], name="kyc_one_yes_a_person")
        ]

    def __str__(self) -> str:
        return f"yes of user:{self.actor_id}"


class ProviderEvent(models.Model):
    """What a provider sent, as it came, once its signature was found good. Its content is not believed: it is a reason to ask."""

    id = models.BigAutoField(primary_key=True)
    provider = models.SlugField(max_length=20)
    event_id = models.CharField(max_length=200)
    kind = models.CharField(max_length=60)
    reference = models.CharField(max_length=80)
    raw = models.BinaryField()
    occurred_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["provider", "event_id"], name="kyc_provider_event_once")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["id"], condition=Q(processed_at=None), name="kyc_provider_event_waiting")
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.kind} {self.reference}"
