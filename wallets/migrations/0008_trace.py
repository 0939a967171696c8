"""The right to use staff's search; no table."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("wallets", "0007_scanner"),
    ]

    operations = [
        migrations.CreateModel(
            name="Trace",
            fields=[],
            options={
                "verbose_name": "find",
                "verbose_name_plural": "find (address, transaction, block, customer)",
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("wallets.address",),
        ),
    ]
