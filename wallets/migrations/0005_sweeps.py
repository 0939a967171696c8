"""Sweeps: which deposit address is emptied, by which payout, with whose gas."""

import django.db.models.deletion
from django.db import migrations, models

import exchange.core.ids

OUTCOMES = [
    ("", "Under way"),
    ("done", "Done"),
    ("refused", "The signer refused it"),
    ("failed", "It was mined and reverted"),
    ("needless", "Nothing is left to sweep"),
]


class Migration(migrations.Migration):
    dependencies = [("wallets", "0004_batches_and_bumps")]

    operations = [
        migrations.CreateModel(
            name="Sweep",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=exchange.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("network_id", models.SmallIntegerField()),
                ("asset_id", models.SmallIntegerField()),
                ("waiting", models.CharField(blank=True, default="", max_length=40)),
                ("outcome", models.CharField(blank=True, choices=OUTCOMES, default="", max_length=16)),
                ("created_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "address",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="sweeps", to="wallets.address"
                    ),
                ),
                (
                    "gas",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="gas_of",
                        to="wallets.payout",
                    ),
                ),
                (
                    "payout",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sweep",
                        to="wallets.payout",
                    ),
                ),
            ],
            options={
                "db_table": "wallets_sweep",
                "indexes": [
                    models.Index(
                        condition=models.Q(("closed_at", None)), fields=["network_id"], name="wallets_sweep_open"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("closed_at", None)),
                        fields=("address", "asset_id"),
                        name="wallets_sweep_one_open",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("closed_at", None), ("outcome", "")),
                            models.Q(("closed_at__isnull", False), models.Q(("outcome", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="wallets_sweep_closed_with_outcome",
                    ),
                ],
            },
        ),
    ]
