"""The tiers took over what these columns said. A migration of its own: a table is not altered with its rows' checks pending."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("assets", "0004_tiers_and_finality")]

    operations = [
        migrations.RemoveConstraint(model_name="assetnetwork", name="assets_confirmations_grow"),
        migrations.RemoveField(model_name="assetnetwork", name="large_deposit"),
        migrations.RemoveField(model_name="assetnetwork", name="confirmations_large"),
    ]
