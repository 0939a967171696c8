"""When a held deposit was last looked at, so that none keeps the head of the line."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("wallets", "0013_payers"),
    ]

    operations = [
        migrations.AddField(
            model_name="deposit",
            name="tried_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
