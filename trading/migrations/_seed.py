"""The first shard and its four markets. Asset ids are the fixed seeds of exchange.assets: BTC 1, LTC 2, ETH 3, USDT 4."""

from trading.engine.rules import units_of_tick_and_lot

# symbol, base, quote, base decimals, quote decimals, price decimals (tick), quantity decimals (lot)
MARKETS = [
    ("BTC-USDT", 1, 4, 8, 6, 2, 4),
    ("ETH-USDT", 3, 4, 18, 6, 2, 4),
    ("LTC-USDT", 2, 4, 8, 6, 2, 3),
    ("ETH-BTC", 3, 1, 18, 8, 5, 3),
]


def seed(apps, schema_editor):
    shard, _ = apps.get_model("trading", "Shard").objects.using(schema_editor.connection.alias).get_or_create(id=0)
    market = apps.get_model("trading", "Market").objects.using(schema_editor.connection.alias)
    for symbol, base, quote, base_decimals, quote_decimals, price_decimals, quantity_decimals in MARKETS:
        lot, tick = units_of_tick_and_lot(
            base_decimals=base_decimals,
            quote_decimals=quote_decimals,
            price_decimals=price_decimals,
            price_step=1,
            quantity_decimals=quantity_decimals,
            quantity_step=1,
        )
        market.create(
            symbol=symbol,
            shard=shard,
            base_asset_id=base,
            quote_asset_id=quote,
            base_decimals=base_decimals,
            quote_decimals=quote_decimals,
            price_decimals=price_decimals,
            quantity_decimals=quantity_decimals,
            lot_base_units=lot,
            tick_quote_units=tick,
            maker_fee_ppm=1_000,
            taker_fee_ppm=2_000,
        )
