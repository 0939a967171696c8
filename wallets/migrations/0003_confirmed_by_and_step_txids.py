"""By what a withdrawal was confirmed, the transaction that a step is about, and a link that is made when its mail is sent."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("wallets", "0002_coins_in_and_out")]

    operations = [
        migrations.AddField(
            model_name="withdrawal",
            name="confirmed_by",
            field=models.CharField(blank=True, default="", max_length=40),
        ),
        migrations.AddField(
            model_name="withdrawalstep",
            name="txid",
            field=models.CharField(blank=True, default="", max_length=66),
        ),
        migrations.AlterField(
            model_name="withdrawalconfirmation",
            name="token_hash",
            field=models.CharField(max_length=64, null=True, unique=True),
        ),
        migrations.AlterField(
            model_name="withdrawalconfirmation",
            name="sent_at",
            field=models.DateTimeField(null=True),
        ),
    ]
