"""What a transfer was worth when it was credited, for limits."""

from django.db import migrations, models

import exchange.assets.fields


class Migration(migrations.Migration):
    dependencies = [
        ("fiat", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="bankdeposit",
            name="worth",
            field=exchange.assets.fields.BaseUnits(
                blank=True, help_text="In the reference currency, when it was credited.", null=True
            ),
        ),
        migrations.AddIndex(
            model_name="bankdeposit",
            index=models.Index(
                condition=models.Q(("state", "settled")), fields=["user_id", "settled_at"], name="fiat_settled_of"
            ),
        ),
    ]
