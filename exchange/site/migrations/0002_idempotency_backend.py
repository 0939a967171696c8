"""Which connection took an idempotency key, so that a retry sees when it is gone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("site_pages", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="idempotencykey",
            name="backend",
            field=models.IntegerField(
                help_text="PostgreSQL's process of the connection that took it: gone, so is who works on it.", null=True
            ),
        ),
    ]
