"""Deposits that are held for their owner's limit, and what moved was worth when it did."""

from django.db import migrations, models

import exchange.assets.fields


class Migration(migrations.Migration):
    dependencies = [
        ("wallets", "0010_cancel_agreements"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="deposit",
            name="wallets_deposit_has_block",
        ),
        migrations.RemoveConstraint(
            model_name="deposit",
            name="wallets_deposit_has_transfer",
        ),
        migrations.AddField(
            model_name="deposit",
            name="held_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="deposit",
            name="held_for",
            field=models.CharField(blank=True, default="", max_length=12),
        ),
        migrations.AddField(
            model_name="deposit",
            name="release_id",
            field=models.UUIDField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="deposit",
            name="worth",
            field=exchange.assets.fields.BaseUnits(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="withdrawal",
            name="worth",
            field=exchange.assets.fields.BaseUnits(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="deposit",
            name="state",
            field=models.CharField(
                choices=[
                    ("seen", "Seen, in no block yet"),
                    ("confirming", "In a block, waiting for confirmations"),
                    ("credited", "Credited"),
                    ("held", "Confirmed and held: not credited yet"),
                    ("below_minimum", "Below the minimum: not credited"),
                    ("orphaned", "Its block was reorganised away"),
                    ("dropped", "Left the mempool without a block"),
                ],
                max_length=16,
            ),
        ),
        migrations.AddIndex(
            model_name="deposit",
            index=models.Index(condition=models.Q(("state", "held")), fields=["owner_id"], name="wallets_deposit_held"),
        ),
        migrations.AddIndex(
            model_name="deposit",
            index=models.Index(
                condition=models.Q(("state", "credited")),
                fields=["owner_id", "credited_at"],
                name="wallets_deposit_credited",
            ),
        ),
        migrations.AddConstraint(
            model_name="deposit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", ["confirming", "credited", "held", "below_minimum"]), _negated=True),
                    ("block_height__isnull", False),
                    _connector="OR",
                ),
                name="wallets_deposit_has_block",
            ),
        ),
        migrations.AddConstraint(
            model_name="deposit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", ["credited", "held", "below_minimum"]), _negated=True),
                    ("transfer_id__isnull", False),
                    _connector="OR",
                ),
                name="wallets_deposit_has_transfer",
            ),
        ),
        migrations.AddConstraint(
            model_name="deposit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "held"), models.Q(("held_for", ""), _negated=True)),
                    models.Q(models.Q(("state", "held"), _negated=True), ("held_for", "")),
                    _connector="OR",
                ),
                name="wallets_deposit_held_for",
            ),
        ),
    ]
