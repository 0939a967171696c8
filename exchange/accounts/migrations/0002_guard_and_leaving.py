"""Tables of what guards customers, and of what they leave with."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="MailWord",
            fields=[
                ("user_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("sealed", models.BinaryField(max_length=400)),
                ("chosen_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Closure",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("user_id", models.BigIntegerField()),
                ("closed_at", models.DateTimeField()),
                ("reopened_at", models.DateTimeField(blank=True, null=True)),
                ("reopened_by", models.BigIntegerField(blank=True, null=True)),
                ("reopen_reason", models.CharField(blank=True, max_length=500)),
            ],
            options={
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("reopened_at", None)), fields=("user_id",), name="accounts_one_open_closure"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Device",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("user_id", models.BigIntegerField()),
                (
                    "secret_hash",
                    models.CharField(help_text="SHA-256 over the customer and the cookie's secret.", max_length=64),
                ),
                ("browser", models.CharField(max_length=60)),
                ("address", models.CharField(max_length=64)),
                ("first_seen_at", models.DateTimeField()),
                ("last_seen_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("user_id", "secret_hash"), name="accounts_device_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Export",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("user_id", models.BigIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("requested", "Requested"),
                            ("ready", "Ready"),
                            ("failed", "Failed"),
                            ("expired", "Expired"),
                        ],
                        default="requested",
                        max_length=10,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("error", models.CharField(blank=True, max_length=200)),
                ("requested_at", models.DateTimeField()),
                ("ready_at", models.DateTimeField(blank=True, null=True)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("downloaded_at", models.DateTimeField(blank=True, null=True)),
                ("size", models.BigIntegerField(default=0, help_text="Bytes of the zip.")),
                ("pieces", models.PositiveIntegerField(default=0)),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["user_id", "-id"], name="accounts_export_of"),
                    models.Index(
                        condition=models.Q(("state", "requested")), fields=["id"], name="accounts_export_waiting"
                    ),
                    models.Index(
                        condition=models.Q(("state", "ready")), fields=["expires_at"], name="accounts_export_expiring"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Freeze",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("user_id", models.BigIntegerField()),
                ("reason", models.CharField(max_length=200)),
                (
                    "sent_to",
                    models.EmailField(blank=True, help_text="The address whose link was followed.", max_length=254),
                ),
                (
                    "was_active",
                    models.BooleanField(help_text="Whether the log-in was open before; lifting puts back that."),
                ),
                ("frozen_at", models.DateTimeField()),
                ("lifted_at", models.DateTimeField(blank=True, null=True)),
                ("lifted_by", models.BigIntegerField(blank=True, null=True)),
                ("lift_reason", models.CharField(blank=True, max_length=500)),
            ],
            options={
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("lifted_at", None)), fields=("user_id",), name="accounts_one_open_freeze"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="NotMeLink",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("user_id", models.BigIntegerField()),
                ("token_hash", models.CharField(max_length=64, unique=True)),
                ("sent_to", models.EmailField(max_length=254)),
                ("about", models.CharField(help_text="The kind of message it stood in.", max_length=40)),
                ("made_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("used_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["user_id"], name="accounts_not_me_user"),
                    models.Index(fields=["expires_at"], name="accounts_not_me_expires"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ExportPiece",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("number", models.PositiveIntegerField()),
                ("sealed", models.BinaryField()),
                (
                    "export",
                    models.ForeignKey(on_delete=models.CASCADE, related_name="+", to="accounts.export"),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("export", "number"), name="accounts_export_piece_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Pause",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("user_id", models.BigIntegerField()),
                ("reason", models.CharField(max_length=200)),
                ("actor_id", models.BigIntegerField(blank=True, null=True)),
                ("began_at", models.DateTimeField()),
                ("until", models.DateTimeField(blank=True, null=True)),
                ("lifted_at", models.DateTimeField(blank=True, null=True)),
                (
                    "freeze",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=models.PROTECT,
                        related_name="pauses",
                        to="accounts.freeze",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("lifted_at", None)), fields=["user_id"], name="accounts_pause_standing"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("until__isnull", False), ("freeze__isnull", False), _connector="OR"),
                        name="accounts_pause_has_an_end",
                    )
                ],
            },
        ),
    ]
