"""Tables of the outbox."""

import django.db.models.deletion
from django.db import migrations, models

GRANTS = """
REVOKE UPDATE ON outbox_event FROM bourse_app;
GRANT UPDATE (fanned_out_at) ON outbox_event TO bourse_app;
REVOKE TRUNCATE ON outbox_event, outbox_delivery FROM bourse_app;
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Event",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("topic", models.CharField(max_length=80)),
                ("key", models.CharField(help_text="Events of one key reach a reader in order.", max_length=120)),
                ("payload", models.JSONField()),
                ("created_at", models.DateTimeField()),
                (
                    "fanned_out_at",
                    models.DateTimeField(editable=False, help_text="When its deliveries were made.", null=True),
                ),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("fanned_out_at", None)), fields=["id"], name="outbox_event_to_fan_out"
                    ),
                    models.Index(fields=["created_at"], name="outbox_event_created"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("reader", models.CharField(max_length=80)),
                ("key", models.CharField(max_length=120)),
                (
                    "state",
                    models.CharField(
                        choices=[("pending", "Pending"), ("delivered", "Delivered"), ("dead", "Dead letter")],
                        default="pending",
                        max_length=10,
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("due_at", models.DateTimeField(help_text="Not tried before.")),
                ("error", models.TextField(blank=True, help_text="What the last attempt ended with.")),
                ("delivered_at", models.DateTimeField(blank=True, null=True)),
                (
                    "event",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="deliveries", to="outbox.event"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "deliveries",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "pending")),
                        fields=["reader", "key", "event"],
                        name="outbox_pending_by_key",
                    ),
                    models.Index(
                        condition=models.Q(("state", "pending")), fields=["due_at"], name="outbox_pending_by_due"
                    ),
                    models.Index(condition=models.Q(("state", "dead")), fields=["id"], name="outbox_dead"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("reader", "event"), name="outbox_delivery_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("delivered_at__isnull", False), ("state", "delivered")),
                            models.Q(models.Q(("state", "delivered"), _negated=True), ("delivered_at", None)),
                            _connector="OR",
                        ),
                        name="outbox_delivery_time",
                    ),
                ],
            },
        ),
        # An event says what happened, and that does not change; only the mark of its fan-out does.
        migrations.RunSQL(GRANTS, migrations.RunSQL.noop),
    ]
