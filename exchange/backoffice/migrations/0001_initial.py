"""The pages that have rights and no table."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []

    operations = [
        migrations.CreateModel(
            name=name,
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
            ],
            options={
                "managed": False,
                "default_permissions": ("view",),
                "verbose_name": one,
                "verbose_name_plural": many,
            },
        )
        for name, one, many in (
            ("Story", "customer's story", "customers' stories"),
            ("Book", "ledger explorer", "ledger explorer"),
        )
    ]
