"""Tables of bank transfers and statements."""

from django.db import migrations, models

import exchange.assets.fields

KEEP = """
REVOKE UPDATE, DELETE, TRUNCATE ON fiat_bank_statement FROM bourse_app;
REVOKE DELETE, TRUNCATE ON fiat_bank_deposit FROM bourse_app;
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="BankDeposit",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("user_id", models.BigIntegerField()),
                ("asset_id", models.SmallIntegerField()),
                ("reference", models.CharField(max_length=20, unique=True)),
                ("announced", exchange.assets.fields.BaseUnits(help_text="Base units the customer means to send.")),
                (
                    "state",
                    models.CharField(
                        choices=[("announced", "Announced"), ("settled", "Settled"), ("cancelled", "Cancelled")],
                        default="announced",
                        max_length=10,
                    ),
                ),
                (
                    "settled",
                    exchange.assets.fields.BaseUnits(blank=True, help_text="Base units that arrived.", null=True),
                ),
                (
                    "bank_reference",
                    models.CharField(
                        blank=True,
                        help_text="The bank's own id of the transaction.",
                        max_length=64,
                        null=True,
                        unique=True,
                    ),
                ),
                ("settled_by", models.BigIntegerField(blank=True, null=True)),
                ("settled_at", models.DateTimeField(blank=True, null=True)),
                ("transfer_id", models.UUIDField(editable=False, help_text="Its transfer in the ledger.", unique=True)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "db_table": "fiat_bank_deposit",
                "ordering": ["-id"],
                "indexes": [models.Index(fields=["user_id", "-id"], name="fiat_deposits_of")],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("announced__gt", 0)), name="fiat_announced_positive"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("bank_reference__isnull", False),
                                ("settled__gt", 0),
                                ("settled_at__isnull", False),
                                ("state", "settled"),
                            ),
                            models.Q(
                                models.Q(("state", "settled"), _negated=True),
                                ("bank_reference", None),
                                ("settled", None),
                                ("settled_at", None),
                            ),
                            _connector="OR",
                        ),
                        name="fiat_settled_whole_or_not",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="BankStatement",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("asset_id", models.SmallIntegerField()),
                ("balance", exchange.assets.fields.BaseUnits(help_text="Base units.")),
                ("as_of", models.DateTimeField(help_text="The moment the bank states it for.")),
                ("recorded_by", models.BigIntegerField()),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "db_table": "fiat_bank_statement",
                "ordering": ["-as_of"],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("balance__gte", 0)), name="fiat_statement_not_negative")
                ],
            },
        ),
        # What the bank stated, and that a transfer was announced, is kept.
        migrations.RunSQL(KEEP, migrations.RunSQL.noop),
    ]
