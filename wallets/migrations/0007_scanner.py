"""What the scanner keeps of finality, of two sources and of transactions that may be replaced; indexes for staff's search."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("wallets", "0006_hot_shares"),
    ]

    operations = [
        migrations.AddField(
            model_name="cursor",
            name="finalized_height",
            field=models.PositiveBigIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="deposit",
            name="replaceable",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="deposit",
            name="spends",
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name="source",
            name="state",
            field=models.CharField(
                choices=[
                    ("ok", "Answers and agrees"),
                    ("slow", "Answers, but slowly"),
                    ("behind", "Below what was scanned before"),
                    ("stuck", "Its newest block is too old"),
                    ("pruned", "Has thrown away a block that is needed"),
                    ("lying", "Contradicts itself"),
                    ("wrong_chain", "Serves another chain"),
                    ("down", "Does not answer"),
                ],
                default="ok",
                max_length=12,
            ),
        ),
        migrations.AddIndex(
            model_name="block",
            index=models.Index(fields=["network_id", "height"], name="wallets_block_height"),
        ),
        migrations.AddIndex(
            model_name="coin",
            index=models.Index(
                condition=models.Q(("spent_txid", ""), _negated=True),
                fields=["spent_txid"],
                name="wallets_coin_spent_txid",
            ),
        ),
        migrations.AddIndex(
            model_name="coin",
            index=models.Index(fields=["network_id", "id"], name="wallets_coin_order"),
        ),
        migrations.AddIndex(
            model_name="payout",
            index=models.Index(
                condition=models.Q(("destination", ""), _negated=True),
                fields=["destination"],
                name="wallets_payout_destination",
            ),
        ),
        migrations.AddIndex(
            model_name="withdrawal",
            index=models.Index(fields=["address"], name="wallets_withdrawal_address"),
        ),
    ]
