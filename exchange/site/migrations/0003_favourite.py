"""The markets that customers have starred."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("site_pages", "0002_idempotency_backend"),
    ]

    operations = [
        migrations.CreateModel(
            name="Favourite",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user_id", models.BigIntegerField()),
                ("market_id", models.SmallIntegerField()),
                ("added_at", models.DateTimeField()),
            ],
            options={
                "db_table": "site_pages_favourite",
                "constraints": [
                    models.UniqueConstraint(fields=["user_id", "market_id"], name="site_pages_favourite_once")
                ],
            },
        ),
    ]
