"""The table of jobs."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Freeze",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("user_id", models.BigIntegerField()),
                ("reason", models.CharField(max_length=500)),
                (
                    "actor_id",
                    models.BigIntegerField(
                        blank=True, help_text="The member of staff; empty: the house itself.", null=True
                    ),
                ),
                ("source", models.CharField(help_text="What froze the customer in the ledger.", max_length=40)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("requested", "Requested"),
                            ("frozen", "Frozen: orders to be cancelled"),
                            ("cancelled", "Orders cancelled: debts to be paid"),
                            ("done", "Done"),
                        ],
                        default="requested",
                        max_length=10,
                    ),
                ),
                (
                    "orders_cancelled",
                    models.PositiveIntegerField(
                        default=0, help_text="By the attempt that finished; others not counted."
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0, help_text="Failed attempts of the step it is at.")),
                ("error", models.CharField(blank=True, max_length=500)),
                ("due_at", models.DateTimeField()),
                ("created_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "done"), _negated=True), fields=["due_at"], name="flows_freeze_due"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "done"), _negated=True),
                        fields=("user_id", "source"),
                        name="flows_one_freeze_at_a_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("finished_at__isnull", False), ("state", "done")),
                            models.Q(models.Q(("state", "done"), _negated=True), ("finished_at", None)),
                            _connector="OR",
                        ),
                        name="flows_freeze_finished",
                    ),
                ],
            },
        ),
    ]
