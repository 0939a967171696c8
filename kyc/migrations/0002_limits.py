"""Limits of every kind, by day and by 30 days, in place of the one that there was. What staff had set for a day stays."""

import django.db.models.deletion
from django.db import migrations, models

import exchange.assets.fields

DAY_S, MONTH_S = 86_400, 30 * 86_400
# In cents of a US dollar, by kind: a day and 30 days, for the first level and those above. The fourth has no limits.
FIRST = {
    "deposit": ((100_000_00, 300_000_00), (250_000_00, 2_500_000_00), (2_500_000_00, 25_000_000_00)),
    "withdrawal": ((25_000_00, 100_000_00), (100_000_00, 1_000_000_00), (1_000_000_00, 10_000_000_00)),
    "fiat_in": ((1_000_00, 5_000_00), (25_000_00, 250_000_00), (250_000_00, 2_500_000_00)),
    "fiat_out": ((1_000_00, 5_000_00), (25_000_00, 250_000_00), (250_000_00, 2_500_000_00)),
    "trading": ((100_000_00, 500_000_00), (1_000_000_00, 10_000_000_00), (10_000_000_00, 100_000_000_00)),
}


def seed(apps, schema_editor):
    """A row for each level, kind and window."""
    alias = schema_editor.connection.alias
    limits = apps.get_model("kyc", "Limit").objects.using(alias)
    for level in apps.get_model("kyc", "Level").objects.using(alias).order_by("number"):
        for kind, amounts in FIRST.items():
            day, month = amounts[level.number - 1] if level.number <= len(amounts) else (None, None)
            if kind == "withdrawal":
                day = level.withdrawal_24h
                month = None if day is None or month is None else max(day, month)
            limits.create(level=level, kind=kind, seconds=DAY_S, amount=day)
            limits.create(level=level, kind=kind, seconds=MONTH_S, amount=month)


class Migration(migrations.Migration):
    dependencies = [("kyc", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Limit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(choices=[(kind, kind) for kind in FIRST], max_length=12),
                ),
                (
                    "seconds",
                    models.PositiveIntegerField(choices=[(DAY_S, str(DAY_S)), (MONTH_S, str(MONTH_S))]),
                ),
                (
                    "amount",
                    exchange.assets.fields.BaseUnits(
                        blank=True,
                        help_text="Base units of the reference currency; empty: no limit.",
                        null=True,
                    ),
                ),
                (
                    "level",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="limits", to="kyc.level"
                    ),
                ),
            ],
            options={
                "ordering": ["level_id", "kind", "seconds"],
                "constraints": [
                    models.UniqueConstraint(fields=("level", "kind", "seconds"), name="kyc_limit_once"),
                    models.CheckConstraint(
                        condition=models.Q(("amount", None), ("amount__gte", 0), _connector="OR"),
                        name="kyc_limit_not_negative",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", tuple(FIRST)), ("seconds__in", (DAY_S, MONTH_S))),
                        name="kyc_limit_known",
                    ),
                ],
            },
        ),
        migrations.RunPython(seed, migrations.RunPython.noop),
        migrations.RemoveConstraint(model_name="level", name="kyc_level_limit_not_negative"),
        migrations.RemoveField(model_name="level", name="withdrawal_24h"),
        migrations.AddField(
            model_name="level",
            name="limits_changed_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
