"""What limited customers have reserved for their orders, and what became of it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0004_fee_tiers"),
    ]

    operations = [
        migrations.CreateModel(
            name="CountedCustomer",
            fields=[
                ("user_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("looked_back_at", models.DateTimeField()),
            ],
            options={
                "db_table": "trading_counted_customer",
            },
        ),
        migrations.CreateModel(
            name="Reservation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user_id", models.BigIntegerField()),
                ("claim", models.UUIDField()),
                ("command_uuid", models.UUIDField(null=True)),
                ("order_id", models.BigIntegerField(null=True)),
                ("leg", models.SmallIntegerField(default=0, help_text="1: the stop of a pair")),
                ("client_order_id", models.CharField(max_length=36, null=True)),
                ("asset_id", models.IntegerField(help_text="what it is counted in")),
                (
                    "units",
                    models.DecimalField(
                        decimal_places=0, help_text="of that asset, at most; when ended: filled", max_digits=78
                    ),
                ),
                (
                    "worth",
                    models.DecimalField(
                        decimal_places=0, help_text="of these units, in the reference currency", max_digits=78
                    ),
                ),
                ("asked_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "trading_reservation",
                "indexes": [
                    models.Index(
                        condition=models.Q(("ended_at", None)), fields=["user_id"], name="trading_reservation_open"
                    ),
                    models.Index(
                        condition=models.Q(("ended_at__isnull", False)),
                        fields=["user_id", "ended_at"],
                        name="trading_reservation_ended",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("command_uuid", None)),
                        fields=("order_id",),
                        name="trading_reservation_once_an_order",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("command_uuid__isnull", False), ("order_id__isnull", False), _connector="OR"
                        ),
                        name="trading_reservation_of_something",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ended_at", None), ("command_uuid", None), _connector="OR"),
                        name="trading_reservation_ended",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("units__gt", 0), ("worth__gte", 0)), name="trading_reservation_not_negative"
                    ),
                ],
            },
        ),
    ]
