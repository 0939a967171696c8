"""Tables of assets, networks and rates, and the assets that every installation has."""

import django.db.models.deletion
from django.db import migrations, models

import exchange.assets.fields


def seed(apps, schema_editor):
    """The assets and networks that every installation has. Ids are fixed for ever: the ledger knows assets by them."""
    database = schema_editor.connection.alias
    asset = apps.get_model("assets", "Asset").objects.using(database)
    network = apps.get_model("assets", "Network").objects.using(database)
    link = apps.get_model("assets", "AssetNetwork").objects.using(database)
    for id_, code, name, kind, decimals, display in (
        (1, "BTC", "Bitcoin", "crypto", 8, 8),
        (2, "LTC", "Litecoin", "crypto", 8, 8),
        (3, "ETH", "Ether", "crypto", 18, 8),
        (4, "USDT", "Tether USD", "crypto", 6, 2),
        (5, "USD", "US dollar", "fiat", 2, 2),
    ):
        asset.create(
            id=id_, code=code, name=name, kind=kind, decimals=decimals, display_decimals=display, position=id_ * 10
        )
    for id_, code, name, family, block_seconds in (
        (1, "bitcoin", "Bitcoin", "utxo", 600),
        (2, "litecoin", "Litecoin", "utxo", 150),
        (3, "ethereum", "Ethereum", "evm", 12),
    ):
        network.create(id=id_, code=code, name=name, family=family, block_seconds=block_seconds)
    # asset, network, decimals, confirmations, large deposit, confirmations of a large one, least in, least out, fee
    for row in (
        (1, 1, 8, 2, 2 * 10**8, 6, 10_000, 50_000, 10_000),
        (2, 2, 8, 6, 200 * 10**8, 12, 100_000, 1_000_000, 100_000),
        (3, 3, 18, 12, 50 * 10**18, 64, 10**15, 5 * 10**15, 10**15),
        (4, 3, 6, 12, 100_000 * 10**6, 64, 10**6, 10 * 10**6, 2 * 10**6),
    ):
        link.create(
            asset_id=row[0],
            network_id=row[1],
            decimals=row[2],
            confirmations=row[3],
            large_deposit=row[4],
            confirmations_large=row[5],
            min_deposit=row[6],
            min_withdrawal=row[7],
            withdrawal_fee=row[8],
        )


# What is listed is no secret: the engine reads an asset's digits, the signer its contract.
GRANTS = """
GRANT SELECT ON assets_asset, assets_network, assets_asset_network TO bourse_engine;
REVOKE DELETE, TRUNCATE ON assets_asset, assets_network, assets_asset_network FROM bourse_app;
REVOKE UPDATE, DELETE, TRUNCATE ON assets_rate_history FROM bourse_app;
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Asset",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("code", models.CharField(max_length=12, unique=True)),
                ("name", models.CharField(max_length=60)),
                ("kind", models.CharField(choices=[("crypto", "Crypto"), ("fiat", "Fiat")], max_length=8)),
                (
                    "decimals",
                    models.PositiveSmallIntegerField(help_text="Digits of the ledger's base unit; fixed for ever."),
                ),
                (
                    "display_decimals",
                    models.PositiveSmallIntegerField(help_text="Digits a page shows where space is short."),
                ),
                ("position", models.PositiveSmallIntegerField(default=100, help_text="Order in lists.")),
                ("enabled", models.BooleanField(default=True)),
            ],
            options={
                "ordering": ["position", "id"],
            },
        ),
        migrations.CreateModel(
            name="AssetNetwork",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "contract",
                    models.CharField(
                        blank=True, help_text="Token contract, EIP-55; empty for its coin.", max_length=64
                    ),
                ),
                ("decimals", models.PositiveSmallIntegerField(help_text="Digits on the chain.")),
                ("confirmations", models.PositiveIntegerField(help_text="Blocks before a deposit is credited.")),
                (
                    "large_deposit",
                    exchange.assets.fields.BaseUnits(
                        blank=True, help_text="Base units; from here on a deposit waits longer.", null=True
                    ),
                ),
                (
                    "confirmations_large",
                    models.PositiveIntegerField(help_text="Blocks before a large deposit is credited."),
                ),
                (
                    "min_deposit",
                    exchange.assets.fields.BaseUnits(help_text="Base units; less than this is not credited."),
                ),
                ("min_withdrawal", exchange.assets.fields.BaseUnits(help_text="Base units.")),
                (
                    "withdrawal_fee",
                    exchange.assets.fields.BaseUnits(help_text="Base units, taken beside the amount sent."),
                ),
                ("enabled", models.BooleanField(default=True)),
            ],
            options={
                "db_table": "assets_asset_network",
                "ordering": ["asset__position", "network_id"],
            },
        ),
        migrations.CreateModel(
            name="Network",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("code", models.SlugField(max_length=20, unique=True)),
                ("name", models.CharField(max_length=60)),
                ("family", models.CharField(choices=[("utxo", "UTXO"), ("evm", "EVM")], max_length=8)),
                (
                    "block_seconds",
                    models.PositiveIntegerField(help_text="Seconds between blocks, as the network intends."),
                ),
                (
                    "explorer",
                    models.URLField(blank=True, help_text="Where a transaction is shown; {txid} is replaced."),
                ),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="RateHistory",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("price", models.DecimalField(decimal_places=18, max_digits=38)),
                ("as_of", models.DateTimeField()),
                ("source", models.CharField(max_length=30)),
            ],
            options={
                "db_table": "assets_rate_history",
            },
        ),
        migrations.CreateModel(
            name="Rate",
            fields=[
                (
                    "asset",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="rate",
                        serialize=False,
                        to="assets.asset",
                    ),
                ),
                ("price", models.DecimalField(decimal_places=18, max_digits=38)),
                ("as_of", models.DateTimeField()),
                ("fetched_at", models.DateTimeField()),
                ("source", models.CharField(max_length=30)),
            ],
        ),
        migrations.AddConstraint(
            model_name="asset",
            constraint=models.CheckConstraint(condition=models.Q(("id__gt", 0)), name="assets_asset_id_positive"),
        ),
        migrations.AddConstraint(
            model_name="asset",
            constraint=models.CheckConstraint(condition=models.Q(("decimals__lte", 30)), name="assets_asset_decimals"),
        ),
        migrations.AddConstraint(
            model_name="asset",
            constraint=models.CheckConstraint(
                condition=models.Q(("display_decimals__lte", models.F("decimals"))), name="assets_asset_display"
            ),
        ),
        migrations.AddField(
            model_name="assetnetwork",
            name="asset",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="networks", to="assets.asset"
            ),
        ),
        migrations.AddConstraint(
            model_name="network",
            constraint=models.CheckConstraint(condition=models.Q(("id__gt", 0)), name="assets_network_id_positive"),
        ),
        migrations.AddField(
            model_name="assetnetwork",
            name="network",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="assets", to="assets.network"
            ),
        ),
        migrations.AddField(
            model_name="ratehistory",
            name="asset",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="assets.asset"),
        ),
        migrations.AddConstraint(
            model_name="rate",
            constraint=models.CheckConstraint(condition=models.Q(("price__gt", 0)), name="assets_rate_positive"),
        ),
        migrations.AddConstraint(
            model_name="assetnetwork",
            constraint=models.UniqueConstraint(fields=("asset", "network"), name="assets_asset_network_once"),
        ),
        migrations.AddConstraint(
            model_name="assetnetwork",
            constraint=models.UniqueConstraint(
                condition=models.Q(("contract", ""), _negated=True),
                fields=("network", "contract"),
                name="assets_contract_once_a_network",
            ),
        ),
        migrations.AddConstraint(
            model_name="assetnetwork",
            constraint=models.CheckConstraint(
                condition=models.Q(("confirmations__gt", 0)), name="assets_confirmations_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="assetnetwork",
            constraint=models.CheckConstraint(
                condition=models.Q(("confirmations_large__gte", models.F("confirmations"))),
                name="assets_confirmations_grow",
            ),
        ),
        migrations.AddConstraint(
            model_name="assetnetwork",
            constraint=models.CheckConstraint(
                condition=models.Q(("min_deposit__gte", 0), ("min_withdrawal__gt", 0), ("withdrawal_fee__gte", 0)),
                name="assets_amounts_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="ratehistory",
            constraint=models.UniqueConstraint(fields=("asset", "as_of", "source"), name="assets_rate_history_once"),
        ),
        migrations.AddConstraint(
            model_name="ratehistory",
            constraint=models.CheckConstraint(
                condition=models.Q(("price__gt", 0)), name="assets_rate_history_positive"
            ),
        ),
        migrations.RunSQL(GRANTS, migrations.RunSQL.noop),
        migrations.RunPython(seed, migrations.RunPython.noop),
    ]
