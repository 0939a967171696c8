"""Which outputs a deposit spent whose payers its block does not show, until the node was asked."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("wallets", "0014_held_turns"),
    ]

    operations = [
        migrations.AddField(
            model_name="deposit",
            name="unshown",
            field=models.JSONField(blank=True, default=list),
        ),
    ]
