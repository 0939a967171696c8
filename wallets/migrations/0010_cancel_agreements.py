"""Who wants a waiting transaction taken back: as many people as its strictest withdrawal took to be approved."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("wallets", "0009_turns"),
    ]

    operations = [
        migrations.CreateModel(
            name="CancelAgreement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("actor_id", models.BigIntegerField()),
                ("at", models.DateTimeField()),
                (
                    "payout",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cancel_agreements",
                        to="wallets.payout",
                    ),
                ),
            ],
            options={
                "db_table": "wallets_cancel_agreement",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("payout", "actor_id"), name="wallets_cancel_agreement_once_a_person"
                    )
                ],
            },
        ),
    ]
