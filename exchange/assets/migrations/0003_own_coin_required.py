"""Every network names its own coin from now on. A migration of its own: a table is not altered with its rows' checks pending."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("assets", "0002_networks_by_configuration")]

    operations = [
        migrations.AlterField(
            model_name="network",
            name="own_coin",
            field=models.ForeignKey(
                help_text="The coin in which it takes its fees.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="assets.asset",
            ),
        ),
        migrations.AddConstraint(
            model_name="assetnetwork",
            constraint=models.CheckConstraint(
                condition=models.Q(("sweep_minimum__isnull", True), ("sweep_minimum__gt", 0), _connector="OR"),
                name="assets_sweep_minimum_positive",
            ),
        ),
    ]
