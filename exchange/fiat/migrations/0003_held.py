"""Bank money that arrived and may not be credited yet is booked, held, and says why."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("fiat", "0002_limits"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="bankdeposit",
            name="fiat_settled_whole_or_not",
        ),
        migrations.AddField(
            model_name="bankdeposit",
            name="held_at",
            field=models.DateTimeField(blank=True, help_text="When it was booked, where it was held first.", null=True),
        ),
        migrations.AddField(
            model_name="bankdeposit",
            name="held_for",
            field=models.CharField(blank=True, default="", max_length=12),
        ),
        migrations.AddField(
            model_name="bankdeposit",
            name="tried_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="bankdeposit",
            name="settled_at",
            field=models.DateTimeField(blank=True, help_text="When it was credited.", null=True),
        ),
        migrations.AlterField(
            model_name="bankdeposit",
            name="state",
            field=models.CharField(
                choices=[
                    ("announced", "Announced"),
                    ("held", "Arrived and held: not credited yet"),
                    ("settled", "Settled"),
                    ("cancelled", "Cancelled"),
                ],
                default="announced",
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="bankdeposit",
            name="transfer_id",
            field=models.UUIDField(
                editable=False, help_text="The transfer in the ledger that it came by.", unique=True
            ),
        ),
        migrations.AddIndex(
            model_name="bankdeposit",
            index=models.Index(condition=models.Q(("state", "held")), fields=["id"], name="fiat_held"),
        ),
        migrations.AddConstraint(
            model_name="bankdeposit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("bank_reference__isnull", False),
                        ("settled__gt", 0),
                        ("settled_at__isnull", False),
                        ("state", "settled"),
                    ),
                    models.Q(
                        ("bank_reference__isnull", False),
                        ("held_at__isnull", False),
                        ("settled__gt", 0),
                        ("settled_at", None),
                        ("state", "held"),
                    ),
                    models.Q(
                        models.Q(("state__in", ["settled", "held"]), _negated=True),
                        ("bank_reference", None),
                        ("settled", None),
                        ("settled_at", None),
                    ),
                    _connector="OR",
                ),
                name="fiat_settled_whole_or_not",
            ),
        ),
        migrations.AddConstraint(
            model_name="bankdeposit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "held"), models.Q(("held_for", ""), _negated=True)),
                    models.Q(models.Q(("state", "held"), _negated=True), ("held_for", "")),
                    _connector="OR",
                ),
                name="fiat_held_for",
            ),
        ),
    ]
