"""When a withdrawal was last in turn and could not leave, and how often the network refused it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("wallets", "0008_trace"),
    ]

    operations = [
        migrations.AddField("withdrawal", "tried_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("withdrawal", "refusals", models.PositiveSmallIntegerField(default=0)),
    ]
