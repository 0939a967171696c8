"""Who paid a deposit, so that it can be screened."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("wallets", "0012_lost_payouts"),
    ]

    operations = [
        migrations.AddField(
            model_name="deposit",
            name="payers",
            field=models.JSONField(blank=True, default=list),
        ),
    ]
