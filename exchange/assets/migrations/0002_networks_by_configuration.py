"""Networks as configuration: each names its own coin, the standard of its tokens and where a browser shows its blocks.

Four more EVM networks and their coins come along, switched off: `manage.py assets add_network` switches them on where their
node is configured.
"""

import django.db.models.deletion
from django.db import migrations, models

import exchange.assets.fields

NETWORKS = (
    # id, code, name, block seconds, own coin (id, code, name), standard of tokens
    (4, "bsc", "BNB Smart Chain", 1, (6, "BNB", "BNB"), "BEP20"),
    (5, "polygon", "Polygon PoS", 2, (7, "POL", "Polygon Ecosystem Token"), "ERC20 (Polygon)"),
    (6, "avalanche", "Avalanche C-Chain", 2, (8, "AVAX", "Avalanche"), "ERC20 (Avalanche C)"),
    (7, "fantom", "Fantom Opera", 1, (9, "FTM", "Fantom"), "ERC20 (Fantom)"),
)
OWN_COINS = {1: 1, 2: 2, 3: 3}
# network: blocks before a deposit is credited, and before a large one is
DEPTHS = {4: (15, 60), 5: (64, 256), 6: (12, 64), 7: (12, 64)}
# network: digits of Tether there
TETHER_DIGITS = {4: 18, 5: 6, 6: 6}
EXPLORERS = {
    1: "https://mempool.space/{kind}/{id}",
    2: "https://litecoinspace.org/{kind}/{id}",
    3: "https://etherscan.io/{kind}/{id}",
    4: "https://bscscan.com/{kind}/{id}",
    5: "https://polygonscan.com/{kind}/{id}",
    6: "https://snowtrace.io/{kind}/{id}",
    7: "https://ftmscan.com/{kind}/{id}",
}
# What a deposit address must hold before it is worth the fee of emptying it, by (asset, network).
SWEEP_MINIMUM = {(3, 3): 5 * 10**16, (4, 3): 50 * 10**6}


def _page(network, kind, holder):
    return EXPLORERS[network].replace("{kind}", kind).replace("{id}", holder)


def seed(apps, schema_editor):
    database = schema_editor.connection.alias
    asset = apps.get_model("assets", "Asset").objects.using(database)
    network = apps.get_model("assets", "Network").objects.using(database)
    link = apps.get_model("assets", "AssetNetwork").objects.using(database)
    for id_, coin_id in OWN_COINS.items():
        network.filter(id=id_).update(own_coin_id=coin_id, standard="ERC20" if id_ == 3 else "")
    for id_, code, name, block_seconds, (coin_id, coin, coin_name), standard in NETWORKS:
        asset.create(
            id=coin_id,
            code=coin,
            name=coin_name,
            kind="crypto",
            decimals=18,
            display_decimals=8,
            position=coin_id * 10,
            enabled=False,
        )
        network.create(
            id=id_,
            code=code,
            name=name,
            family="evm",
            block_seconds=block_seconds,
            own_coin_id=coin_id,
            standard=standard,
        )
        ordinary, large = DEPTHS[id_]
        common = {"network_id": id_, "confirmations": ordinary, "confirmations_large": large, "enabled": False}
        link.create(
            asset_id=coin_id,
            decimals=18,
            large_deposit=1000 * 10**18,
            min_deposit=10**16,
            min_withdrawal=10**17,
            withdrawal_fee=10**16,
            sweep_minimum=10**18,
            **common,
        )
        if id_ in TETHER_DIGITS:
            link.create(
                asset_id=4,
                decimals=TETHER_DIGITS[id_],
                large_deposit=100_000 * 10**6,
                min_deposit=10**6,
                min_withdrawal=5 * 10**6,
                withdrawal_fee=10**6,
                sweep_minimum=20 * 10**6,
                **common,
            )
    for id_ in EXPLORERS:
        network.filter(id=id_, explorer="").update(explorer=_page(id_, "tx", "{txid}"))
        network.filter(id=id_).update(
            explorer_address=_page(id_, "address", "{address}"), explorer_block=_page(id_, "block", "{block}")
        )
    for (asset_id, network_id), minimum in SWEEP_MINIMUM.items():
        link.filter(asset_id=asset_id, network_id=network_id).update(sweep_minimum=minimum)


class Migration(migrations.Migration):
    dependencies = [("assets", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="network",
            name="own_coin",
            field=models.ForeignKey(
                help_text="The coin in which it takes its fees.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="assets.asset",
            ),
        ),
        migrations.AddField(
            model_name="network",
            name="standard",
            field=models.CharField(
                blank=True,
                default="",
                help_text="What its tokens are called: ERC20, BEP20; empty where it has none.",
                max_length=24,
            ),
        ),
        migrations.AlterField(
            model_name="network",
            name="explorer",
            field=models.CharField(
                blank=True,
                default="",
                help_text="Where a transaction is shown; {txid} is replaced.",
                max_length=200,
            ),
        ),
        migrations.AddField(
            model_name="network",
            name="explorer_address",
            field=models.CharField(
                blank=True,
                default="",
                help_text="Where an address is shown; {address} is replaced.",
                max_length=200,
            ),
        ),
        migrations.AddField(
            model_name="network",
            name="explorer_block",
            field=models.CharField(
                blank=True,
                default="",
                help_text="Where a block is shown; {block}, its height, is replaced.",
                max_length=200,
            ),
        ),
        migrations.AlterField(
            model_name="assetnetwork",
            name="decimals",
            field=models.PositiveSmallIntegerField(
                help_text="Digits on the chain; amounts here are in the asset's own base units."
            ),
        ),
        migrations.AddField(
            model_name="assetnetwork",
            name="fee_on_transfer",
            field=models.BooleanField(
                default=False,
                help_text="The token keeps a part of what is sent: a deposit is counted by what the balance gained.",
            ),
        ),
        migrations.AddField(
            model_name="assetnetwork",
            name="sweep_minimum",
            field=exchange.assets.fields.BaseUnits(
                blank=True,
                help_text="Base units; a deposit address that holds less is not swept. Empty: never swept.",
                null=True,
            ),
        ),
        migrations.RunPython(seed, migrations.RunPython.noop),
    ]
