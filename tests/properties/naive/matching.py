"""An incoming order meets the book, one step at a time; then it rests, waits or is closed."""

from __future__ import annotations

from dataclasses import dataclass

from tests.properties.naive import events as say
from tests.properties.naive.checks import beyond, ceiling, opposite
from tests.properties.naive.state import (
    ARMED,
    BUY,
    CANCEL_BOTH,
    CANCEL_NEWEST,
    CANCEL_OLDEST,
    FOK,
    GTC,
    GTD,
    RESTING,
    TAKING,
    WITH_LIMIT,
    NaiveOrder,
    State,
)

NOBODY, BEYOND = "nobody is left on the other side", "the others want a worse price than the limit"
FILLED, TOO_SMALL, SELF_TRADE, TOO_MANY_FILLS = "filled", "too_small", "self_trade", "too_many_fills"


@dataclass
class Limits:
    """What one command may still do."""

    fills: int
    triggers: int


def run(state: State, order: NaiveOrder, limit: int, limits: Limits, events: list) -> list[int]:
    """Match, then close or rest. The prices of its fills."""
    if order.time_in_force == FOK:
        trial = state.copy()
        copied = trial.orders[order.id]
        stopped, _ = match(trial, copied, limit, Limits(limits.fills, limits.triggers), [])
        if stopped != FILLED or (copied.lots, copied.quote) != (order.lots, order.quote):
            close(state, order, "not_fillable", events)
            return []
    stopped, prices = match(state, order, limit, limits, events)
    conclude(state, order, stopped, events)
    return prices


def conclude(state: State, order: NaiveOrder, stopped: str, events: list) -> None:
    if stopped in (FILLED, TOO_SMALL, SELF_TRADE, TOO_MANY_FILLS):
        close(state, order, stopped, events)
    elif order.kind in WITH_LIMIT and order.time_in_force in (GTC, GTD):
        rest(state, order, events)
    elif stopped == BEYOND and order.kind not in WITH_LIMIT:
        close(state, order, "slippage", events)
    else:
        close(state, order, "no_liquidity", events)


def match(state: State, taker: NaiveOrder, limit: int, limits: Limits, events: list) -> tuple[str, list[int]]:
    """Why it stopped, and the prices of its fills."""
    prices: list[int] = []
    while True:
        others = opposite(state, taker)
        if not others:
            return NOBODY, prices
        maker = others[0]
        if beyond(taker, limit, maker.price):
            return BEYOND, prices
        wanted = wants(state, taker, maker.price)
        if wanted == 0:
            return (FILLED if taker.filled_lots else TOO_SMALL), prices
        if limits.fills == 0:
            return TOO_MANY_FILLS, prices
        if maker.user == taker.user:
            limits.fills -= taker.self_trade != CANCEL_NEWEST  # what changes a maker counts like a fill
            if stopped := meet_oneself(state, taker, maker, wanted, events):
                return stopped, prices
            continue
        limits.fills -= 1
        trade(state, taker, maker, min(wanted, maker.shown), events)
        prices.append(maker.price)
        if taker.quote == taker.filled_quote if taker.quote else taker.open_lots == 0:
            return FILLED, prices


def wants(state: State, taker: NaiveOrder, price: int) -> int:
    """The lots it still wants: what is left of its quantity, or what its quote amount can pay for at this price."""
    if taker.quote:
        return (taker.quote - taker.filled_quote) // (price * state.markets[taker.market].rules.tick_quote_units)
    return taker.open_lots


def meet_oneself(state: State, taker: NaiveOrder, maker: NaiveOrder, wanted: int, events: list) -> str:
    """Self-trade prevention, by the taker's mode. Not empty: the taker stops."""
    if taker.self_trade == CANCEL_NEWEST:
        return SELF_TRADE
    if taker.self_trade in (CANCEL_OLDEST, CANCEL_BOTH):
        close(state, maker, SELF_TRADE, events)
        return SELF_TRADE if taker.self_trade == CANCEL_BOTH else ""
    lots = min(wanted, maker.open_lots)
    if lots == maker.open_lots:
        close(state, maker, SELF_TRADE, events)
    else:
        reduce(state, maker, lots, maker.price, events)
    if lots == wanted:
        return SELF_TRADE
    reduce(state, taker, lots, maker.price, events)
    return ""


def reduce(state: State, order: NaiveOrder, lots: int, price: int, events: list) -> None:
    """The order wants so many lots fewer, and keeps its place. An OCO leg that shrinks takes the other leg with it."""
    before = state.hold(order)
    partner, partners_hold = unpair(state, order)
    if order.quote:
        order.quote -= lots * price * state.markets[order.market].rules.tick_quote_units
    else:
        order.lots -= lots
    order.slice = min(order.slice, order.open_lots)
    book_price = order.price if order.phase == RESTING else 0
    events.append(say.Reduced(order.id, order.pay_account, book_price, order.open_lots, before - state.hold(order)))
    finish_partner(state, partner, partners_hold, events)


def trade(state: State, taker: NaiveOrder, maker: NaiveOrder, lots: int, events: list) -> None:
    market = state.markets[taker.market]
    rules, price = market.rules, maker.price
    base, quote = lots * rules.lot_base_units, lots * price * rules.tick_quote_units
    buyer, seller = (taker, maker) if taker.side == BUY else (maker, taker)
    partner, partners_hold = unpair(state, maker)
    fees = {}
    for order, gets in ((buyer, base), (seller, quote)):
        fees[order.id] = ceiling(gets * rate(state, order, rules, taking=order is taker))
        order.filled_lots += lots
        order.filled_quote += quote
        order.fee += fees[order.id]
    move(state, buyer.base_account, base - fees[buyer.id])
    move(state, buyer.quote_account, -quote)
    move(state, seller.base_account, -base)
    move(state, seller.quote_account, quote - fees[seller.id])
    for asset, amount in ((rules.base_asset_id, fees[buyer.id]), (rules.quote_asset_id, fees[seller.id])):
        pot = (asset, "fees" if amount > 0 else "rebates")
        state.house[pot] = state.house.get(pot, 0) + amount
    traded = say.Traded(
        id=state.next_trade * 1024 + state.shard,
        market_id=rules.id,
        price=price,
        lots=lots,
        base_units=base,
        quote_units=quote,
        taker_side=taker.side,
        maker_order_id=maker.id,
        taker_order_id=taker.id,
        maker_id=maker.user,
        taker_id=taker.user,
        buyer_fee=fees[buyer.id],
        seller_fee=fees[seller.id],
        buyer_base_account=buyer.base_account,
        buyer_quote_account=buyer.quote_account,
        seller_base_account=seller.base_account,
        seller_quote_account=seller.quote_account,
    )
    state.next_trade += 1
    state.trades.append(traded)
    events.append(traded)
    market.last = price
    finish_partner(state, partner, partners_hold, events)
    after_a_fill(state, maker, lots, events)


def after_a_fill(state: State, maker: NaiveOrder, lots: int, events: list) -> None:
    if maker.open_lots == 0:
        close(state, maker, FILLED, events)
    elif maker.display:
        maker.slice -= lots
        if maker.slice == 0:  # the next slice comes up, behind everybody at this price
            maker.slice = min(maker.display, maker.open_lots)
            maker.rank = state.take_number()


def rate(state: State, order: NaiveOrder, rules: object, *, taking: bool) -> int:
    """The better of the market's rate and the customer's, in parts per million."""
    maker_ppm, taker_ppm = rules.maker_fee_ppm, rules.taker_fee_ppm
    if order.user in state.fees:
        own_maker, own_taker = state.fees[order.user]
        maker_ppm, taker_ppm = min(maker_ppm, own_maker), min(taker_ppm, own_taker)
    return taker_ppm if taking else maker_ppm


def move(state: State, account: int, amount: int) -> None:
    state.balances[account] = state.balances.get(account, 0) + amount


def rest(state: State, order: NaiveOrder, events: list) -> None:
    if order.comes_late:
        order.rank, order.comes_late = state.take_number(), False
    order.phase = RESTING
    order.slice = min(order.display, order.open_lots)
    events.append(say.Rested(order.id, order.pay_account, order.open_lots, state.hold(order)))


def arm(state: State, order: NaiveOrder, events: list) -> None:
    order.phase = ARMED
    events.append(say.Armed(order.id, order.pay_account, order.open_lots, state.hold(order)))


def close(state: State, order: NaiveOrder, reason: str, events: list) -> None:
    """The order is done, and so is the other leg of its pair."""
    released = state.hold(order)
    price = order.price if order.phase == RESTING else 0
    partner, partners_hold = unpair(state, order)
    del state.orders[order.id]
    state.done[order.id] = reason
    for market in state.markets.values():
        market.queue = [id for id in market.queue if id != order.id]
    order.phase = TAKING
    events.append(say.Closed(order.id, order.pay_account, price, released, reason))
    finish_partner(state, partner, partners_hold, events)


def unpair(state: State, order: NaiveOrder) -> tuple[NaiveOrder | None, int]:
    """The other leg, which lives alone from now on and shall be closed, and what it held as one of two."""
    if not order.partner:
        return None, 0
    partner = state.orders[order.partner]
    held = state.hold(partner)
    order.partner = partner.partner = 0
    return partner, held


def finish_partner(state: State, partner: NaiveOrder | None, held: int, events: list) -> None:
    if partner is None:
        return
    closed: list = []
    close(state, partner, "oco", closed)
    events.append(closed[0]._replace(released=held))
