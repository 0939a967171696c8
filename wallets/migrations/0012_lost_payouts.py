"""What a coin's own transaction spends, so that a payout whose coin can never be again is given up."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("wallets", "0011_limits")]

    operations = [
        migrations.AddField("coin", "spends", models.JSONField(default=list)),
        migrations.AddField("coin", "gone_txid", models.CharField(blank=True, default="", max_length=64)),
        migrations.AddField("coin", "gone_height", models.PositiveBigIntegerField(null=True)),
        migrations.AddIndex(
            "coin",
            models.Index(condition=Q(block_height=None), fields=["network_id"], name="wallets_coin_nowhere"),
        ),
        migrations.AlterField(
            "payout",
            "state",
            models.CharField(
                choices=[
                    ("reserved", "Inputs or nonce reserved"),
                    ("signing", "With the signer"),
                    ("signed", "Signed bytes kept, not yet sent"),
                    ("broadcast", "Sent to the network"),
                    ("confirmed", "In a block"),
                    ("final", "Final"),
                    ("released", "Never signed; inputs or nonce free again"),
                    ("lost", "Signed, and made impossible for good by a transaction of others"),
                ],
                max_length=16,
            ),
        ),
    ]
