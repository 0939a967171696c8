"""Applications, their documents, steps and approvals, and what providers sent."""

import uuid

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("kyc", "0002_limits"),
    ]

    operations = [
        migrations.CreateModel(
            name="Application",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("user_id", models.BigIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Being filled in"),
                            ("submitted", "Waiting for review"),
                            ("in_review", "In review"),
                            ("resubmit", "Asked again"),
                            ("approved", "Approved"),
                            ("rejected", "Turned down"),
                            ("expired", "Over"),
                        ],
                        default="draft",
                        max_length=10,
                    ),
                ),
                ("version", models.PositiveIntegerField(default=1)),
                ("sealed", models.BinaryField(help_text="What the customer told, under his own key.", null=True)),
                (
                    "asked",
                    models.JSONField(
                        default=list, help_text="What has to be sent again; nothing else can be changed then."
                    ),
                ),
                ("reasons", models.JSONField(default=list, help_text="Codes of why it was turned down or sent back.")),
                (
                    "message",
                    models.CharField(blank=True, help_text="Words to the customer beside the reasons.", max_length=500),
                ),
                ("reviewer_id", models.BigIntegerField(help_text="Who looks at it.", null=True)),
                ("provider", models.SlugField(default="manual", max_length=20)),
                (
                    "provider_reference",
                    models.CharField(blank=True, help_text="Its name at the provider.", max_length=80),
                ),
                ("provider_state", models.CharField(blank=True, help_text="How far it is there.", max_length=20)),
                (
                    "provider_answer",
                    models.JSONField(default=dict, help_text="The provider's last answer, as fetched."),
                ),
                (
                    "provider_due_at",
                    models.DateTimeField(help_text="When something is to be done there next.", null=True),
                ),
                ("provider_failures", models.PositiveSmallIntegerField(default=0)),
                ("created_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
                ("submitted_at", models.DateTimeField(null=True)),
                ("decided_at", models.DateTimeField(null=True)),
                ("expires_at", models.DateTimeField(help_text="An approval holds until then.", null=True)),
                (
                    "warned_days",
                    models.PositiveSmallIntegerField(help_text="The notice given last, in days ahead.", null=True),
                ),
                (
                    "ended_at",
                    models.DateTimeField(
                        help_text="From here the time runs during which it has to be kept.", null=True
                    ),
                ),
                ("erased_at", models.DateTimeField(null=True)),
                (
                    "level",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="kyc.level"),
                ),
            ],
            options={
                "ordering": ["submitted_at", "created_at"],
            },
        ),
        migrations.CreateModel(
            name="ApplicationApproval",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("actor_id", models.BigIntegerField()),
                ("version", models.PositiveIntegerField()),
                ("at", models.DateTimeField()),
                ("note", models.CharField(blank=True, max_length=500)),
                (
                    "application",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="approvals", to="kyc.application"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ApplicationStep",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("state", models.CharField(max_length=20)),
                ("at", models.DateTimeField()),
                ("actor_id", models.BigIntegerField(help_text="Empty: the house or its provider.", null=True)),
                ("note", models.CharField(blank=True, help_text="For staff alone.", max_length=500)),
                (
                    "application",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="steps", to="kyc.application"
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="Document",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("kind", models.SlugField(max_length=30)),
                ("width", models.PositiveIntegerField()),
                ("height", models.PositiveIntegerField()),
                ("size_bytes", models.PositiveIntegerField(help_text="Of the picture as it is kept.")),
                ("uploaded_at", models.DateTimeField()),
                (
                    "replaced_at",
                    models.DateTimeField(help_text="Another was sent in its place; it is kept as evidence.", null=True),
                ),
                ("provider_reference", models.CharField(blank=True, max_length=80)),
                ("erased_at", models.DateTimeField(null=True)),
                (
                    "application",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="documents", to="kyc.application"
                    ),
                ),
            ],
            options={
                "ordering": ["uploaded_at"],
            },
        ),
        migrations.CreateModel(
            name="ProviderEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("provider", models.SlugField(max_length=20)),
                ("event_id", models.CharField(max_length=200)),
                ("kind", models.CharField(max_length=60)),
                ("reference", models.CharField(max_length=80)),
                ("raw", models.BinaryField()),
                ("occurred_at", models.DateTimeField(null=True)),
                ("received_at", models.DateTimeField()),
                ("processed_at", models.DateTimeField(null=True)),
                ("outcome", models.CharField(blank=True, max_length=40)),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("processed_at", None)), fields=["id"], name="kyc_provider_event_waiting"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("provider", "event_id"), name="kyc_provider_event_once")
                ],
            },
        ),
        migrations.AddIndex(
            model_name="application",
            index=models.Index(fields=["user_id", "-created_at"], name="kyc_application_of_user"),
        ),
        migrations.AddIndex(
            model_name="application",
            index=models.Index(
                condition=models.Q(("state__in", ["submitted", "in_review"])),
                fields=["submitted_at"],
                name="kyc_application_queue",
            ),
        ),
        migrations.AddIndex(
            model_name="application",
            index=models.Index(
                condition=models.Q(("state", "approved")), fields=["expires_at"], name="kyc_application_expiry"
            ),
        ),
        migrations.AddIndex(
            model_name="application",
            index=models.Index(
                condition=models.Q(("provider_due_at__isnull", False)),
                fields=["provider_due_at"],
                name="kyc_provider_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="application",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["draft", "submitted", "in_review", "resubmit"])),
                fields=("user_id", "level"),
                name="kyc_one_open_application_a_level",
            ),
        ),
        migrations.AddConstraint(
            model_name="application",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "approved")), fields=("user_id", "level"), name="kyc_one_approval_a_level"
            ),
        ),
        migrations.AddConstraint(
            model_name="application",
            constraint=models.UniqueConstraint(
                condition=models.Q(("provider_reference", ""), _negated=True),
                fields=("provider", "provider_reference"),
                name="kyc_one_application_a_reference",
            ),
        ),
        migrations.AddConstraint(
            model_name="application",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at__isnull", False), ("state__in", ["rejected", "expired"])),
                    models.Q(models.Q(("state__in", ["rejected", "expired"]), _negated=True), ("ended_at", None)),
                    _connector="OR",
                ),
                name="kyc_application_ended",
            ),
        ),
        migrations.AddConstraint(
            model_name="application",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "approved"), _negated=True), ("expires_at__isnull", False), _connector="OR"
                ),
                name="kyc_approval_expires",
            ),
        ),
        migrations.AddConstraint(
            model_name="application",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("erased_at", None),
                    models.Q(("sealed", None), ("state__in", ["rejected", "expired"])),
                    _connector="OR",
                ),
                name="kyc_erased_application_is_empty",
            ),
        ),
        migrations.AddConstraint(
            model_name="applicationapproval",
            constraint=models.UniqueConstraint(
                fields=("application", "actor_id", "version"), name="kyc_one_yes_a_person"
            ),
        ),
        migrations.AddConstraint(
            model_name="document",
            constraint=models.UniqueConstraint(
                condition=models.Q(("replaced_at", None)), fields=("application", "kind"), name="kyc_one_picture_a_kind"
            ),
        ),
        # What was decided, and by whom, is added to and never rewritten; nothing of an application is deleted but a draft's
        # pictures, whose rows go with them.
        migrations.RunSQL(
            """
            REVOKE UPDATE, DELETE, TRUNCATE ON kyc_applicationstep, kyc_applicationapproval FROM bourse_app;
            REVOKE DELETE, TRUNCATE ON kyc_application, kyc_providerevent FROM bourse_app;
            """,
            migrations.RunSQL.noop,
        ),
    ]
