"""Keys that programs show in place of a log-in."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_guard_and_leaving"),
    ]

    operations = [
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "key_id",
                    models.CharField(help_text="What its requests name it by; no secret.", max_length=27, unique=True),
                ),
                ("label", models.CharField(max_length=60)),
                ("kind", models.CharField(choices=[("ed25519", "Ed25519"), ("hmac", "HMAC-SHA256")], max_length=8)),
                ("public_key", models.BinaryField(max_length=32, null=True)),
                ("sealed_secret", models.BinaryField(max_length=200, null=True)),
                ("trade", models.BooleanField(default=False)),
                ("withdraw", models.BooleanField(default=False)),
                ("networks", models.JSONField(default=list, help_text="The only places it is taken from; empty: any.")),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
                ("revoked_why", models.CharField(blank=True, max_length=40)),
                ("last_used_at", models.DateTimeField(null=True)),
                ("last_used_address", models.CharField(blank=True, max_length=64)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "db_table": "accounts_api_key",
                "indexes": [models.Index(fields=["user", "-id"], name="accounts_api_key_of_user")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "ed25519"), ("public_key__isnull", False), ("sealed_secret", None)),
                            models.Q(
                                ("kind", "hmac"),
                                ("public_key", None),
                                models.Q(
                                    ("sealed_secret__isnull", False), ("revoked_at__isnull", False), _connector="OR"
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="accounts_api_key_one_material",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("withdraw", False), models.Q(("networks", []), _negated=True), _connector="OR"
                        ),
                        name="accounts_api_key_withdraws_from_known_networks",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("expires_at", None), ("expires_at__gt", models.F("created_at")), _connector="OR"
                        ),
                        name="accounts_api_key_ends_after_it_begins",
                    ),
                ],
            },
        ),
    ]
