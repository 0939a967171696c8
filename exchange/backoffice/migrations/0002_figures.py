"""What each day came to, for the dashboard's plots."""

from django.db import migrations, models

import exchange.assets.fields


class Migration(migrations.Migration):
    dependencies = [("backoffice", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Figure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("sign_ups", "Sign-ups"),
                            ("volume", "Volume"),
                            ("fees", "Fees, all that were ever taken by the day's end"),
                            ("deposits", "Deposits"),
                            ("deposits_n", "Number of deposits"),
                            ("withdrawals", "Withdrawals"),
                            ("withdrawals_n", "Number of withdrawals"),
                        ],
                        max_length=16,
                    ),
                ),
                ("asset_id", models.IntegerField(default=0, help_text="0: a number of things, no amount.")),
                ("units", exchange.assets.fields.BaseUnits()),
                ("counted_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("day", "kind", "asset_id"), name="backoffice_figure_once")
                ],
            },
        ),
    ]
