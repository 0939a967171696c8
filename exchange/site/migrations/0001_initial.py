"""The table of idempotency keys."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="IdempotencyKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user_id", models.BigIntegerField()),
                ("key", models.CharField(max_length=200)),
                ("digest", models.CharField(help_text="SHA-256 of method, path and body.", max_length=64)),
                (
                    "status",
                    models.SmallIntegerField(
                        help_text="HTTP status of the answer; null while it is being worked out.", null=True
                    ),
                ),
                ("answer", models.TextField(blank=True, default="")),
                ("started_at", models.DateTimeField()),
            ],
            options={
                "db_table": "site_pages_idempotency_key",
                "indexes": [models.Index(fields=["started_at"], name="site_pages_idempotency_started")],
                "constraints": [
                    models.UniqueConstraint(fields=("user_id", "key"), name="site_pages_idempotency_key_once")
                ],
            },
        ),
    ]
