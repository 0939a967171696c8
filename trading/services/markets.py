"""Opening markets and changing their state.

A new market is a row, and the shard's engine takes it up at its next start. A change of state goes through the engine, so
that it has its place among the orders and the next batch obeys it.
What must never happen here: a market whose smallest trade would have to round.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial

from django.db import transaction

from exchange.audit.services import record
from exchange.core.errors import InvalidRequest
from trading import selectors, wire
from trading.engine import rules
from trading.models import Market, Shard
from trading.presentation import MARKET_STATES, MarketView
from trading.services import catalogue, line

_STATES = {name: number for number, name in MARKET_STATES.items()}


class MarketRefused(InvalidRequest):
    """These numbers make no market without rounding."""

    code = "market_refused"


class MarketStateInvalid(InvalidRequest):
    """No such state of a market, or the engine refused it."""

    code = "market_state_invalid"


@transaction.atomic
def open(
    *,
    symbol: str,
    base_asset_id: int,
    quote_asset_id: int,
    base_decimals: int,
    quote_decimals: int,
    price_decimals: int,
    quantity_decimals: int,
    shard: int = 0,
    price_step: int = 1,
    quantity_step: int = 1,
    maker_fee_ppm: int = 1_000,
    taker_fee_ppm: int = 2_000,
    now: datetime,
) -> int:
    """A new market, on a shard of its own or of others; its id. Raises MarketRefused."""
    try:
        lot, tick = rules.units_of_tick_and_lot(
            base_decimals=base_decimals, quote_decimals=quote_decimals, price_decimals=price_decimals,
            price_step=price_step, quantity_decimals=quantity_decimals, quantity_step=quantity_step,
        )  # fmt: skip
        rules.Market(
            id=0, base_asset_id=base_asset_id, quote_asset_id=quote_asset_id, lot_base_units=lot, tick_quote_units=tick,
            maker_fee_ppm=maker_fee_ppm, taker_fee_ppm=taker_fee_ppm,
        )  # fmt: skip
    except rules.MarketRefused as error:
        raise MarketRefused(f"This market is not possible: {error}.", param="symbol") from error
    Shard.objects.get_or_create(id=shard)
    market = Market.objects.create(
        symbol=symbol,
        shard_id=shard,
        base_asset_id=base_asset_id,
        quote_asset_id=quote_asset_id,
        base_decimals=base_decimals,
        quote_decimals=quote_decimals,
        price_decimals=price_decimals,
        price_step=price_step,
        quantity_decimals=quantity_decimals,
        quantity_step=quantity_step,
        lot_base_units=lot,
        tick_quote_units=tick,
        maker_fee_ppm=maker_fee_ppm,
        taker_fee_ppm=taker_fee_ppm,
    )
    return market.pk


def set_state_sync(*, symbol: str, state: str, actor_id: int, now: datetime) -> MarketView:
    """Open, narrow or halt a market; returns when the engine has done it. Raises MarketNotFound, MarketStateInvalid."""
    before = catalogue.market(symbol)
    if state not in _STATES:
        raise MarketStateInvalid(f"A state is one of {', '.join(_STATES)}.", param="state")
    encode = partial(wire.encode_market_state, user_id=actor_id, market_id=before.id, state=_STATES[state])
    reply = line.ask_sync(shard=before.shard, encode=encode)
    if reply["code"] != wire.ACCEPTED:
        raise MarketStateInvalid(f"The engine refused it ({reply['code']}).", param="state")
    record(
        actor_id=actor_id,
        action="trading.market_state",
        subject=f"market:{symbol}",
        before={"state": before.state},
        after={"state": state},
        now=now,
    )
    return selectors.market(symbol)
