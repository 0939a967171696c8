"""Markets, shards and batches by Django; the partitioned tables, their functions and all grants by SQL of our own."""

import django.db.models.deletion
from django.db import migrations, models

from trading.migrations import _seed, _tables


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Candle",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("market_id", models.SmallIntegerField()),
                ("interval", models.SmallIntegerField(help_text="place in candles.INTERVALS")),
                ("open_time", models.DateTimeField()),
                ("open", models.BigIntegerField()),
                ("high", models.BigIntegerField()),
                ("low", models.BigIntegerField()),
                ("close", models.BigIntegerField()),
                ("lots", models.DecimalField(decimal_places=0, max_digits=78)),
                ("quote_units", models.DecimalField(decimal_places=0, max_digits=78)),
                ("trades", models.BigIntegerField()),
            ],
            options={
                "db_table": "trading_candle",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Command",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("seq", models.BigIntegerField()),
                ("user_id", models.BigIntegerField()),
                ("body", models.TextField()),
                ("verdict", models.CharField(max_length=40)),
                ("order_id", models.BigIntegerField(null=True)),
                ("at", models.DateTimeField()),
            ],
            options={
                "db_table": "trading_command",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="CommandKey",
            fields=[
                ("command_uuid", models.UUIDField(primary_key=True, serialize=False)),
                ("command_id", models.BigIntegerField()),
            ],
            options={
                "db_table": "trading_command_key",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Order",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("user_id", models.BigIntegerField()),
                ("market_id", models.SmallIntegerField()),
                ("side", models.SmallIntegerField(choices=[(1, "buy"), (2, "sell")])),
                ("kind", models.SmallIntegerField(choices=[(1, "limit"), (2, "market")])),
                ("time_in_force", models.SmallIntegerField(choices=[(1, "GTC"), (2, "IOC")])),
                ("price", models.BigIntegerField(help_text="ticks; 0 for a market order")),
                ("lots", models.BigIntegerField(help_text="0 for an order by quote amount")),
                ("quote_units", models.DecimalField(decimal_places=0, max_digits=78)),
                ("filled_lots", models.BigIntegerField()),
                ("filled_quote", models.DecimalField(decimal_places=0, max_digits=78)),
                ("fee", models.DecimalField(decimal_places=0, help_text="in the asset received", max_digits=78)),
                ("state", models.SmallIntegerField(choices=[(1, "open"), (2, "filled"), (3, "cancelled")])),
                ("reason", models.CharField(max_length=20)),
                ("client_order_id", models.CharField(max_length=36, null=True)),
                ("base_account", models.BigIntegerField()),
                ("quote_account", models.BigIntegerField()),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
            ],
            options={
                "db_table": "trading_order",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="OrderKey",
            fields=[
                ("client_order_id", models.CharField(max_length=36, primary_key=True, serialize=False)),
                ("user_id", models.BigIntegerField()),
                ("command_id", models.BigIntegerField()),
            ],
            options={
                "db_table": "trading_order_key",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Trade",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("market_id", models.SmallIntegerField()),
                ("price", models.BigIntegerField()),
                ("lots", models.BigIntegerField()),
                ("taker_side", models.SmallIntegerField(choices=[(1, "buy"), (2, "sell")])),
                ("maker_order_id", models.BigIntegerField()),
                ("taker_order_id", models.BigIntegerField()),
                ("maker_id", models.BigIntegerField()),
                ("taker_id", models.BigIntegerField()),
                ("buyer_fee", models.DecimalField(decimal_places=0, max_digits=78)),
                ("seller_fee", models.DecimalField(decimal_places=0, max_digits=78)),
                ("at", models.DateTimeField()),
            ],
            options={
                "db_table": "trading_trade",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Batch",
            fields=[
                ("id", models.BigIntegerField(help_text="seq · 1024 + shard", primary_key=True, serialize=False)),
                ("record", models.TextField()),
                ("committed_at", models.DateTimeField()),
            ],
            options={
                "db_table": "trading_batch",
            },
        ),
        migrations.CreateModel(
            name="Shard",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                (
                    "epoch",
                    models.BigIntegerField(
                        default=0,
                        help_text="Raised by each leader and each rebuild; a batch of an older epoch is refused.",
                    ),
                ),
                ("seq", models.BigIntegerField(default=0, help_text="Batches committed.")),
                (
                    "published_seq",
                    models.BigIntegerField(
                        default=0, help_text="Up to which batch replies and market data were surely released."
                    ),
                ),
                ("next_command", models.BigIntegerField(default=1)),
                ("next_order", models.BigIntegerField(default=1)),
                ("next_trade", models.BigIntegerField(default=1)),
                ("stream_generation", models.CharField(blank=True, default="", max_length=36)),
                ("stream_id", models.CharField(default="0-0", max_length=41)),
                (
                    "market_sequences",
                    models.JSONField(default=dict, help_text="Market id → last sequence of its public feed."),
                ),
                (
                    "leader_pid",
                    models.IntegerField(help_text="Process id of the leader's database backend.", null=True),
                ),
                ("leader_backend_start", models.DateTimeField(null=True)),
                ("leader_name", models.CharField(blank=True, default="", max_length=200)),
            ],
            options={
                "db_table": "trading_shard",
            },
        ),
        migrations.CreateModel(
            name="Market",
            fields=[
                ("id", models.SmallAutoField(primary_key=True, serialize=False)),
                ("symbol", models.CharField(max_length=21, unique=True)),
                ("base_asset_id", models.IntegerField()),
                ("quote_asset_id", models.IntegerField()),
                ("base_decimals", models.SmallIntegerField()),
                ("quote_decimals", models.SmallIntegerField()),
                (
                    "price_decimals",
                    models.SmallIntegerField(help_text="A tick is price_step · 10^-price_decimals of the quote asset."),
                ),
                ("price_step", models.IntegerField(default=1)),
                (
                    "quantity_decimals",
                    models.SmallIntegerField(
                        help_text="A lot is quantity_step · 10^-quantity_decimals of the base asset."
                    ),
                ),
                ("quantity_step", models.IntegerField(default=1)),
                ("lot_base_units", models.DecimalField(decimal_places=0, max_digits=78)),
                ("tick_quote_units", models.DecimalField(decimal_places=0, max_digits=78)),
                ("maker_fee_ppm", models.IntegerField()),
                ("taker_fee_ppm", models.IntegerField()),
                (
                    "state",
                    models.SmallIntegerField(choices=[(1, "open"), (2, "cancel_only"), (3, "halted")], default=1),
                ),
                (
                    "shard",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="markets", to="trading.shard"
                    ),
                ),
            ],
            options={
                "db_table": "trading_market",
                "ordering": ["id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("base_asset_id", models.F("quote_asset_id")), _negated=True),
                        name="trading_market_two_assets",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("lot_base_units__gte", 1), ("tick_quote_units__gte", 1)),
                        name="trading_market_whole_units",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("maker_fee_ppm__gte", 0),
                            ("maker_fee_ppm__lt", 1000000),
                            ("taker_fee_ppm__gte", 0),
                            ("taker_fee_ppm__lt", 1000000),
                        ),
                        name="trading_market_fees",
                    ),
                ],
            },
        ),
        migrations.RunSQL(_tables.TABLES, _tables.DROP_TABLES),
        migrations.RunSQL(_tables.FUNCTIONS, _tables.DROP_FUNCTIONS),
        migrations.RunSQL(_tables.GRANTS, migrations.RunSQL.noop),
        migrations.RunPython(_seed.seed, migrations.RunPython.noop),
        migrations.RunSQL("SELECT trading_make_partitions()", migrations.RunSQL.noop),
    ]
