"""A device a person for django-otp, and resets of factors by two of staff."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_api_keys"),
    ]

    operations = [
        migrations.CreateModel(
            name="FactorReset",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("user_id", models.BigIntegerField(db_index=True)),
                (
                    "reason",
                    models.CharField(
                        help_text="How it was made sure that it is them. No personal data.", max_length=500
                    ),
                ),
                ("asked_by", models.BigIntegerField()),
                ("asked_at", models.DateTimeField()),
                ("decided_by", models.BigIntegerField(blank=True, null=True)),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                (
                    "done",
                    models.BooleanField(
                        blank=True, help_text="Carried out, or refused; empty while it waits.", null=True
                    ),
                ),
                ("refusal", models.CharField(blank=True, max_length=500)),
            ],
            options={
                "ordering": ["-id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("done", None),
                            ("done", False),
                            models.Q(("decided_by", models.F("asked_by")), _negated=True),
                            _connector="OR",
                        ),
                        name="accounts_reset_by_two",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("decided_at", None), ("decided_by", None), ("done", None)),
                            models.Q(
                                ("decided_at__isnull", False), ("decided_by__isnull", False), ("done__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="accounts_reset_decided_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("asked_by", models.F("user_id")), _negated=True),
                            models.Q(
                                ("decided_by", None),
                                models.Q(("decided_by", models.F("user_id")), _negated=True),
                                _connector="OR",
                            ),
                        ),
                        name="accounts_reset_by_others",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("done", None)), fields=("user_id",), name="accounts_one_open_reset"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="FactorDevice",
            fields=[
                ("name", models.CharField(help_text="The human-readable name of this device.", max_length=64)),
                ("confirmed", models.BooleanField(default=True, help_text="Is this device ready for use?")),
                (
                    "throttling_failure_timestamp",
                    models.DateTimeField(
                        blank=True,
                        default=None,
                        help_text="A timestamp of the last failed verification attempt. Null if last attempt succeeded.",
                        null=True,
                    ),
                ),
                (
                    "throttling_failure_count",
                    models.PositiveIntegerField(default=0, help_text="Number of successive failed attempts."),
                ),
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "user",
                    models.ForeignKey(
                        help_text="The user that this device belongs to.",
                        on_delete=django.db.models.deletion.CASCADE,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("user",), name="accounts_one_factor_device")],
            },
        ),
    ]
