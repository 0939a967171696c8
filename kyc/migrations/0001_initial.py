"""Levels, their first limits, and the customers who have one."""

import django.db.models.deletion
from django.db import migrations, models

import exchange.assets.fields


def seed(apps, schema_editor):
    """The levels every installation starts with; staff set the limits they want."""
    levels = apps.get_model("kyc", "Level").objects.using(schema_editor.connection.alias)
    for number, code, name, withdrawal_24h in (
        (1, "email", "E-mail", 25_000_00),
        (2, "identity", "Identity", 100_000_00),
        (3, "address", "Address", 1_000_000_00),
        (4, "enhanced", "Enhanced", None),
    ):
        levels.create(number=number, code=code, name=name, withdrawal_24h=withdrawal_24h)


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Level",
            fields=[
                ("number", models.PositiveSmallIntegerField(primary_key=True, serialize=False)),
                ("code", models.SlugField(max_length=20, unique=True)),
                ("name", models.CharField(max_length=60)),
                (
                    "withdrawal_24h",
                    exchange.assets.fields.BaseUnits(
                        blank=True, help_text="US cents that may leave in any 24 hours; empty: no limit.", null=True
                    ),
                ),
            ],
            options={
                "ordering": ["number"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("withdrawal_24h", None), ("withdrawal_24h__gte", 0), _connector="OR"),
                        name="kyc_level_limit_not_negative",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Customer",
            fields=[
                ("user_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("changed_at", models.DateTimeField()),
                (
                    "level",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="kyc.level"),
                ),
            ],
        ),
        migrations.RunPython(seed, migrations.RunPython.noop),
    ]
