"""Opening markets, and changing their rules and their state.

A new market is a row; a command makes the shard's running engine take it up, and one that is not running does so at its next
start. Rules and states are the engine's to write: a change is a command like an order, has its place among the orders, and
the batch after it obeys. Where two changes meet, they go one after the other, each from what the one before left.
What must never happen here: a market whose smallest trade would have to round, or one whose makers get more than its takers pay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from django.db import connection, transaction

from exchange.audit.services import record
from exchange.core import amounts
from exchange.core.errors import DomainError, InvalidRequest
from trading import presentation, selectors, wire
from trading.engine import rules
from trading.models import Market, Shard
from trading.presentation import MARKET_STATES, MarketView
from trading.services import catalogue, fees, line
from trading.services.line import EngineOutcomeUnknown

log = structlog.get_logger(__name__)

UNPAID = "A maker's rebate could be more than a taker of another market or tier pays."
STATES = {name: number for number, name in MARKET_STATES.items()}


class MarketRefused(InvalidRequest):
    """These numbers make no market without rounding."""

    code = "market_refused"


class MarketRulesInvalid(InvalidRequest):
    """A market cannot have these rules."""

    code = "market_rules_invalid"


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
    min_notional: str = "0",
    band_ppm: int = 0,
    slippage_ppm: int = 100_000,
    max_open_orders: int = 1_000,
    state: str = "open",
    actor_id: int | None = None,
    now: datetime,
) -> int:
    """A new market, on a shard of its own or of others; its id. Raises MarketRefused and MarketStateInvalid."""
    _check_state(state)
    least = amounts.parse(min_notional, decimals=quote_decimals, param="min_notional")
    try:
        lot, tick = rules.units_of_tick_and_lot(
            base_decimals=base_decimals, quote_decimals=quote_decimals, price_decimals=price_decimals,
            price_step=price_step, quantity_decimals=quantity_decimals, quantity_step=quantity_step,
        )  # fmt: skip
        rules.Market(
            id=0, base_asset_id=base_asset_id, quote_asset_id=quote_asset_id, lot_base_units=lot, tick_quote_units=tick,
            maker_fee_ppm=maker_fee_ppm, taker_fee_ppm=taker_fee_ppm, min_notional=least, band_ppm=band_ppm,
            slippage_ppm=slippage_ppm, max_open_orders=max_open_orders,
        )  # fmt: skip
    except rules.MarketRefused as error:
        raise MarketRefused(f"This market is not possible: {error}.", param="symbol") from error
    if fees.least_share_ppm(maker_fee_ppm=maker_fee_ppm, taker_fee_ppm=taker_fee_ppm) < 0:
        raise MarketRefused(UNPAID, param="maker_fee_ppm")
    Shard.objects.get_or_create(id=shard)
    row = Market.objects.create(
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
        min_notional=least,
        band_ppm=band_ppm,
        slippage_ppm=slippage_ppm,
        max_open_orders=max_open_orders,
        state=STATES[state],
    )
    view = selectors.market(symbol)
    record(
        actor_id=actor_id, action="trading.market_open", subject=f"market:{symbol}",
        after={"state": state, "shard": shard, **shown(view)}, now=now,
    )  # fmt: skip
    transaction.on_commit(partial(_take_up, view, actor_id))
    return row.pk


def _take_up(view: MarketView, actor_id: int | None) -> None:
    """Tell the running engine; where none runs, or it is late, the market's row tells it at its next start."""
    encode = partial(
        wire.encode_market_open, user_id=actor_id or 0, market=presentation.rules(view), state=STATES[view.state]
    )
    try:
        reply = line.ask_sync(shard=view.shard, encode=encode)
    except DomainError as error:
        log.warning("trading.market_waits_for_its_engine", market=view.symbol, shard=view.shard, code=error.code)
    else:
        log.info("trading.market_opened", market=view.symbol, shard=view.shard, verdict=reply["code"])


def set_rules_sync(
    *,
    symbol: str,
    maker_fee_ppm: int | None = None,
    taker_fee_ppm: int | None = None,
    min_notional: str | None = None,
    band_ppm: int | None = None,
    slippage_ppm: int | None = None,
    max_open_orders: int | None = None,
    actor_id: int,
    now: datetime,
) -> MarketView:
    """Change what is given and keep the rest; returns when the engine obeys. `min_notional` is decimal text in quote.

    Raises MarketNotFound, MarketRulesInvalid and the errors of services.line.
    """
    given = {
        "maker_fee_ppm": maker_fee_ppm, "taker_fee_ppm": taker_fee_ppm, "min_notional": min_notional, "band_ppm": band_ppm,
        "slippage_ppm": slippage_ppm, "max_open_orders": max_open_orders,
    }  # fmt: skip
    with _one_change_at_a_time(symbol):
        before = selectors.market(symbol)
        market, changes = _judged(before, given)
        unknown = _asked(
            before, partial(wire.encode_market, user_id=actor_id, market=market), MarketRulesInvalid, param="symbol"
        )
        after = selectors.market(symbol)
        stands, was = shown(after), shown(before)
        if unknown is not None:
            stands |= {"asked": changes}
        record(
            actor_id=actor_id, action=_deed("trading.market_rules", unknown), subject=f"market:{symbol}",
            before={name: value for name, value in was.items() if stands[name] != value},
            after={name: value for name, value in stands.items() if was.get(name) != value}, now=now,
        )  # fmt: skip
    if unknown is not None:
        raise unknown
    return after


def check_rules(*, symbol: str, given: Mapping[str, Any]) -> None:
    """Whether a market could have these rules now, as `set_rules_sync` would judge; nothing is asked for. Raises MarketNotFound,
    MarketRulesInvalid."""
    with _one_change_at_a_time(symbol):
        _judged(selectors.market(symbol), given)


def _judged(before: MarketView, given: Mapping[str, Any]) -> tuple[rules.Market, dict[str, Any]]:
    """The market with what is given (None: as it was), and the changes in units."""
    changes = {name: value for name, value in given.items() if value is not None}
    if "min_notional" in changes:
        changes["min_notional"] = amounts.parse(
            changes["min_notional"], decimals=before.quote_decimals, param="min_notional"
        )
    try:
        market = presentation.rules(before).but(**changes)
    except rules.MarketRefused as error:
        raise MarketRulesInvalid(f"A market cannot have these rules: {error}.", param=next(iter(changes))) from error
    share = fees.least_share_ppm(
        maker_fee_ppm=market.maker_fee_ppm, taker_fee_ppm=market.taker_fee_ppm, but_market=before.id
    )
    if share < 0:
        raise MarketRulesInvalid(UNPAID, param="maker_fee_ppm")
    return market, changes


def set_state_sync(*, symbol: str, state: str, actor_id: int, now: datetime) -> MarketView:
    """Open, narrow or halt a market; returns when the engine has done it. Raises MarketNotFound, MarketStateInvalid."""
    _check_state(state)
    with _one_change_at_a_time(symbol):
        before = selectors.market(symbol)
        encode = partial(wire.encode_market_state, user_id=actor_id, market_id=before.id, state=STATES[state])
        unknown = _asked(before, encode, MarketStateInvalid, param="state")
        record(
            actor_id=actor_id, action=_deed("trading.market_state", unknown), subject=f"market:{symbol}",
            before={"state": before.state}, after={"state": state}, now=now,
        )  # fmt: skip
    if unknown is not None:
        raise unknown
    return selectors.market(symbol)


@contextmanager
def _one_change_at_a_time(symbol: str) -> Iterator[None]:
    """The second change of a market starts from what the first left, whoever made it."""
    catalogue.market(symbol)  # there is such a market
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('trading_market'), hashtext(%s))", [symbol])
        yield


def _asked(
    view: MarketView, encode: line.Encode, refused: type[InvalidRequest], *, param: str
) -> EngineOutcomeUnknown | None:
    """The engine does it, or refuses. Where nobody can say, that comes back, so that the deed is on record all the same."""
    try:
        reply: dict[str, Any] = line.ask_sync(shard=view.shard, encode=encode)
    except EngineOutcomeUnknown as error:
        return error
    if reply["code"] != wire.ACCEPTED:
        raise refused(f"The engine refused it ({reply['code']}).", param=param)
    return None


def _deed(action: str, unknown: EngineOutcomeUnknown | None) -> str:
    return action if unknown is None else f"{action}.outcome_unknown"


def shown(view: MarketView) -> dict[str, Any]:
    """A market's rules for the audit."""
    return {
        "maker_fee_ppm": view.maker_fee_ppm, "taker_fee_ppm": view.taker_fee_ppm, "min_notional": view.min_notional,
        "band_ppm": view.band_ppm, "slippage_ppm": view.slippage_ppm, "max_open_orders": view.max_open_orders,
    }  # fmt: skip


def _check_state(state: str) -> None:
    if state not in STATES:
        raise MarketStateInvalid(f"A state is one of {', '.join(STATES)}.", param="state")
