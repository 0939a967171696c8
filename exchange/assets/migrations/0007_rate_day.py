"""The last rate of each day, from the history that there is."""

import django.db.models.deletion
from django.db import migrations, models

FROM_HISTORY = """
INSERT INTO assets_rate_day (asset_id, day, price, as_of)
  SELECT DISTINCT ON (asset_id, (as_of AT TIME ZONE 'UTC')::date) asset_id, (as_of AT TIME ZONE 'UTC')::date, price, as_of
  FROM assets_rate_history ORDER BY asset_id, (as_of AT TIME ZONE 'UTC')::date, as_of DESC
"""


class Migration(migrations.Migration):
    dependencies = [("assets", "0006_ethereum_says_what_is_final")]

    operations = [
        migrations.CreateModel(
            name="RateDay",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("day", models.DateField()),
                ("price", models.DecimalField(decimal_places=18, max_digits=38)),
                ("as_of", models.DateTimeField()),
                (
                    "asset",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="assets.asset"),
                ),
            ],
            options={
                "db_table": "assets_rate_day",
                "constraints": [
                    models.UniqueConstraint(fields=("asset", "day"), name="assets_rate_day_once"),
                    models.CheckConstraint(condition=models.Q(("price__gt", 0)), name="assets_rate_day_positive"),
                ],
            },
        ),
        migrations.RunSQL(FROM_HISTORY, migrations.RunSQL.noop, elidable=True),
    ]
