"""Tables of invoices and their payments."""

import django.db.models.deletion
from django.db import migrations, models

import exchange.assets.fields
import exchange.core.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Invoice",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=exchange.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("merchant_id", models.BigIntegerField()),
                ("asset_id", models.SmallIntegerField()),
                ("asset", models.CharField(max_length=12)),
                ("network", models.CharField(max_length=20)),
                ("decimals", models.PositiveSmallIntegerField()),
                ("amount", exchange.assets.fields.BaseUnits(help_text="Base units.")),
                ("address", models.CharField(max_length=120)),
                (
                    "order_reference",
                    models.CharField(blank=True, help_text="The merchant's own id of the order.", max_length=120),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("new", "New"),
                            ("processing", "Processing"),
                            ("settled", "Settled"),
                            ("expired", "Expired"),
                            ("invalid", "Invalid"),
                        ],
                        default="new",
                        max_length=12,
                    ),
                ),
                ("exception", models.CharField(blank=True, max_length=20)),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(help_text="Payments seen before this count.")),
                ("monitored_until", models.DateTimeField(help_text="Payments must be final by then.")),
                (
                    "settled_at",
                    models.DateTimeField(blank=True, help_text="When the merchant was first told so.", null=True),
                ),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["merchant_id", "-id"], name="invoices_of_merchant"),
                    models.Index(
                        condition=models.Q(("state", "new")), fields=["expires_at"], name="invoices_to_expire"
                    ),
                    models.Index(
                        condition=models.Q(("state", "processing")),
                        fields=["monitored_until"],
                        name="invoices_to_give_up",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("order_reference", ""), _negated=True),
                        fields=("merchant_id", "order_reference"),
                        name="invoices_order_once",
                    ),
                    models.UniqueConstraint(fields=("network", "address"), name="invoices_address_once"),
                    models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="invoices_amount_positive"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("monitored_until__gte", models.F("expires_at")), ("expires_at__gt", models.F("created_at"))
                        ),
                        name="invoices_times_in_order",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Payment",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("deposit_id", models.UUIDField(unique=True)),
                ("txid", models.CharField(max_length=80)),
                ("amount", exchange.assets.fields.BaseUnits(help_text="Base units.")),
                ("state", models.CharField(help_text="The deposit's own state.", max_length=20)),
                ("seen_at", models.DateTimeField()),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="payments", to="invoices.invoice"
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "indexes": [models.Index(fields=["invoice"], name="invoices_payments_of")],
            },
        ),
    ]
