"""The table of data keys."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="DataKey",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("purpose", models.SlugField(max_length=60)),
                ("version", models.PositiveIntegerField()),
                ("master_id", models.CharField(help_text="Which master key wraps it.", max_length=16)),
                ("wrapped", models.BinaryField(max_length=60)),
                ("created_at", models.DateTimeField()),
                ("retired_at", models.DateTimeField(help_text="From here on it only opens.", null=True)),
            ],
            options={
                "db_table": "secrets_data_key",
                "constraints": [
                    models.UniqueConstraint(fields=("purpose", "version"), name="secrets_data_key_version"),
                    models.UniqueConstraint(
                        condition=models.Q(("retired_at", None)),
                        fields=("purpose",),
                        name="secrets_one_sealing_key_a_purpose",
                    ),
                ],
            },
        ),
        # A lost key loses every secret under it: the run-time role adds keys and re-wraps them, and deletes none.
        migrations.RunSQL("REVOKE DELETE, TRUNCATE ON secrets_data_key FROM bourse_app", migrations.RunSQL.noop),
    ]
