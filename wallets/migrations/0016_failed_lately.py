"""An index of the withdrawals that failed, by when: the queue's page counts those of the last days."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("wallets", "0015_unshown_payers")]

    operations = [
        migrations.AddIndex(
            model_name="withdrawal",
            index=models.Index(
                condition=Q(("state", "failed")), fields=["closed_at"], name="wallets_withdrawal_failed"
            ),
        ),
    ]
