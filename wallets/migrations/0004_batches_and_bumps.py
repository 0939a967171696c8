"""How long a version has waited, and how many withdrawals may share the next transaction of one."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("wallets", "0003_confirmed_by_and_step_txids")]

    operations = [
        migrations.AddField(
            model_name="payoutversion",
            name="sent_height",
            field=models.PositiveBigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="withdrawal",
            name="company_max",
            field=models.PositiveSmallIntegerField(blank=True, null=True),
        ),
    ]
