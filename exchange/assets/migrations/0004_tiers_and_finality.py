"""Any number of tiers of confirmations in place of one, and networks that say themselves what is final."""

import django.db.models.deletion
from django.db import migrations, models

import exchange.assets.fields


def tiers(apps, schema_editor):
    alias = schema_editor.connection.alias
    link, tier = apps.get_model("assets", "AssetNetwork"), apps.get_model("assets", "ConfirmationTier")
    tier.objects.using(alias).bulk_create(
        tier(asset_network_id=row.id, from_amount=row.large_deposit, confirmations=row.confirmations_large)
        for row in link.objects.using(alias).exclude(large_deposit=None).exclude(large_deposit=0)
    )


class Migration(migrations.Migration):
    dependencies = [("assets", "0003_own_coin_required")]

    operations = [
        migrations.AddField(
            model_name="network",
            name="finalized",
            field=models.BooleanField(
                default=False,
                help_text="Credit a deposit when the network calls its block final, whatever the number of confirmations.",
            ),
        ),
        migrations.CreateModel(
            name="ConfirmationTier",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "from_amount",
                    exchange.assets.fields.BaseUnits(
                        decimal_places=0, help_text="Base units; deposits of this much and more.", max_digits=78
                    ),
                ),
                (
                    "confirmations",
                    models.PositiveIntegerField(help_text="Blocks before such a deposit is credited."),
                ),
                (
                    "asset_network",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="tiers", to="assets.assetnetwork"
                    ),
                ),
            ],
            options={"db_table": "assets_confirmation_tier", "ordering": ["from_amount"]},
        ),
        migrations.AddConstraint(
            model_name="confirmationtier",
            constraint=models.UniqueConstraint(fields=("asset_network", "from_amount"), name="assets_tier_once"),
        ),
        migrations.AddConstraint(
            model_name="confirmationtier",
            constraint=models.CheckConstraint(
                condition=models.Q(("from_amount__gt", 0)), name="assets_tier_amount_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="confirmationtier",
            constraint=models.CheckConstraint(
                condition=models.Q(("confirmations__gt", 0)), name="assets_tier_confirmations_positive"
            ),
        ),
        migrations.RunPython(tiers, migrations.RunPython.noop),
    ]
