"""Every order type: what an order holds and where it waits, markets' rules, customers' own fees, countdowns."""

import django.db.models.expressions
from django.db import migrations, models

from trading.migrations import _order_types


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="AccountFee",
            fields=[
                ("id", models.BigIntegerField(help_text="user · 1024 + shard", primary_key=True, serialize=False)),
                ("shard_id", models.SmallIntegerField()),
                ("user_id", models.BigIntegerField()),
                ("maker_fee_ppm", models.IntegerField()),
                ("taker_fee_ppm", models.IntegerField()),
            ],
            options={
                "db_table": "trading_account_fee",
            },
        ),
        migrations.CreateModel(
            name="Countdown",
            fields=[
                ("id", models.BigIntegerField(help_text="user · 1024 + shard", primary_key=True, serialize=False)),
                ("shard_id", models.SmallIntegerField()),
                ("user_id", models.BigIntegerField()),
                ("until_us", models.BigIntegerField(help_text="Microseconds since 1970.")),
            ],
            options={
                "db_table": "trading_countdown",
            },
        ),
        migrations.RemoveConstraint(
            model_name="market",
            name="trading_market_fees",
        ),
        migrations.AddField(
            model_name="market",
            name="band_ppm",
            field=models.IntegerField(
                default=0, help_text="How far from the last price an order may stand; 0: anywhere."
            ),
        ),
        migrations.AddField(
            model_name="market",
            name="max_open_orders",
            field=models.IntegerField(default=1000, help_text="A customer's, in this market; 0: any number."),
        ),
        migrations.AddField(
            model_name="market",
            name="min_notional",
            field=models.DecimalField(
                decimal_places=0,
                default=0,
                help_text="An order's least worth, in base units of the quote asset; 0: any.",
                max_digits=78,
            ),
        ),
        migrations.AddField(
            model_name="market",
            name="opened",
            field=models.BooleanField(default=False, help_text="Whether its shard's engine has taken it up."),
        ),
        migrations.AddField(
            model_name="market",
            name="slippage_ppm",
            field=models.IntegerField(
                default=100000,
                help_text="How far from the best price a market order may fill that says nothing itself.",
            ),
        ),
        migrations.AddField(
            model_name="shard",
            name="last_prices",
            field=models.JSONField(default=dict, help_text="Market id → price of its newest trade."),
        ),
        migrations.AlterField(
            model_name="market",
            name="maker_fee_ppm",
            field=models.IntegerField(help_text="Below zero: a rebate, what a maker is paid."),
        ),
        migrations.AlterField(
            model_name="market",
            name="state",
            field=models.SmallIntegerField(
                choices=[(1, "open"), (2, "cancel_only"), (3, "halted"), (4, "post_only")], default=1
            ),
        ),
        migrations.AddConstraint(
            model_name="market",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("maker_fee_ppm__gt", -1000000),
                    ("maker_fee_ppm__lt", 1000000),
                    ("taker_fee_ppm__gte", 0),
                    ("taker_fee_ppm__lt", 1000000),
                    (
                        "taker_fee_ppm__gte",
                        django.db.models.expressions.CombinedExpression(
                            models.Value(0), "-", models.F("maker_fee_ppm")
                        ),
                    ),
                ),
                name="trading_market_fees",
            ),
        ),
        migrations.AddConstraint(
            model_name="market",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("band_ppm__gte", 0),
                    ("max_open_orders__gte", 0),
                    ("min_notional__gte", 0),
                    ("slippage_ppm__gte", 1),
                    ("slippage_ppm__lte", 1000000),
                ),
                name="trading_market_rules",
            ),
        ),
        migrations.RunSQL(_order_types.ORDERS, migrations.RunSQL.noop),
        migrations.RunSQL(_order_types.FACTS, migrations.RunSQL.noop),
        migrations.RunSQL(_order_types.GRANTS, migrations.RunSQL.noop),
    ]
