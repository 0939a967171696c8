"""Which orders are taken at all. Every function raises Refuse with the code that the customer sees, in the stated order."""

from __future__ import annotations

from tests.properties.naive.state import (
    BUY,
    FOK,
    GTC,
    GTD,
    IOC,
    LIMIT,
    MARKET,
    OPEN,
    POST_ONLY,
    PPM,
    SELL,
    STOP,
    STOP_LIMIT,
    TAKE_PROFIT_LIMIT,
    TRAILING_STOP,
    WITH_LIMIT,
    WITH_TRIGGER,
    NaiveMarket,
    NaiveOrder,
    Refuse,
    State,
)


def admission(state: State, command: object, *, orders: int) -> NaiveMarket:
    """May this customer place anything of this form here, now?"""
    market = state.markets.get(command.market_id)
    if market is None:
        raise Refuse("market_not_found")
    may_stay = command.kind in WITH_TRIGGER or command.time_in_force in (GTC, GTD)
    takes_at_once = command.kind == MARKET or command.time_in_force in (IOC, FOK)
    if market.state not in (OPEN, POST_ONLY):
        raise Refuse("market_closed")
    if market.state == POST_ONLY and takes_at_once:
        raise Refuse("market_post_only")
    named = {(order.user, order.client) for order in state.orders.values() if order.client is not None}
    if (command.user_id, command.client_order_id) in named:
        raise Refuse("client_order_id_taken")
    if command.time_in_force == GTD and command.terms.expires_at <= command.at:
        raise Refuse("already_expired")
    most = market.rules.max_open_orders
    if most and may_stay and len(state.live(command.user_id, market.rules.id)) + orders > most:
        raise Refuse("too_many_open_orders")
    return market


def terms_of_trade(state: State, market: NaiveMarket, order: NaiveOrder) -> None:
    """Price, size, trigger and post-only; asked of a new order and of one that leaves its place to be matched anew."""
    in_band(market, order)
    worth_it(state, market, order)
    not_triggered_yet(market, order)
    if must_not_take(market, order) and would_match(state, order):
        raise Refuse("post_only_would_match")


def in_band(market: NaiveMarket, order: NaiveOrder) -> None:
    if order.kind == LIMIT or (order.kind in WITH_LIMIT and order.triggered):
        reference = market.last
    elif order.kind in (STOP_LIMIT, TAKE_PROFIT_LIMIT):
        reference = order.stop
    else:
        return
    band = market.rules.band_ppm
    if band and reference and abs(order.price - reference) * PPM > band * reference:
        raise Refuse("price_out_of_band")


def worth_it(state: State, market: NaiveMarket, order: NaiveOrder) -> None:
    if order.quote:
        worth = order.quote
    else:
        if order.kind in WITH_LIMIT:
            price = order.price
        elif order.kind == MARKET:
            price = best_opposite(state, order)
        else:
            price = order.stop
        if not price:
            return
        worth = price * order.lots * market.rules.tick_quote_units
    if worth < market.rules.min_notional:
        raise Refuse("notional_too_small")


def not_triggered_yet(market: NaiveMarket, order: NaiveOrder) -> None:
    if order.triggered or order.kind not in WITH_TRIGGER:
        return
    if order.kind == TRAILING_STOP and not market.last:
        raise Refuse("no_reference_price")
    if market.last and triggers_at(order, market.last):
        raise Refuse("stop_would_trigger")


def triggers_at(order: NaiveOrder, price: int) -> bool:
    return price >= order.stop if waits_for_a_rise(order) else price <= order.stop


def waits_for_a_rise(order: NaiveOrder) -> bool:
    """Stops follow the price (a buy waits for a rise), take-profits go against it."""
    is_stop = order.kind in (STOP, STOP_LIMIT, TRAILING_STOP)
    return (order.side == BUY) == is_stop


def must_not_take(market: NaiveMarket, order: NaiveOrder) -> bool:
    """A limit order that may only rest. One that waited for a trigger and rests now is a limit order like any other."""
    if order.kind != LIMIT and not (order.triggered and order.kind in WITH_LIMIT):
        return False
    return order.post_only or (market.state == POST_ONLY and order.time_in_force in (GTC, GTD))


def opposite(state: State, order: NaiveOrder) -> list[NaiveOrder]:
    """The orders it could meet, the first to be met first: best price, then the oldest in its place."""
    others = [
        other
        for other in state.orders.values()
        if other.phase == "resting" and other.market == order.market and other.side != order.side
    ]
    return sorted(others, key=lambda other: (other.price if order.side == BUY else -other.price, other.rank))


def best_opposite(state: State, order: NaiveOrder) -> int:
    others = opposite(state, order)
    return others[0].price if others else 0


def beyond(order: NaiveOrder, limit: int, price: int) -> bool:
    return price > limit if order.side == BUY else price < limit


def would_match(state: State, order: NaiveOrder) -> bool:
    best = best_opposite(state, order)
    return best != 0 and not beyond(order, order.price, best)


def cap_around(market: NaiveMarket, order: NaiveOrder, price: int) -> int:
    """The worst price that a market order may take when `price` is where it starts from."""
    slippage = order.slippage_ppm or market.rules.slippage_ppm
    if order.side == BUY:
        return price * (PPM + slippage) // PPM
    return max(1, ceiling(price * (PPM - slippage)))


def cap_of_market_order(state: State, market: NaiveMarket, order: NaiveOrder) -> int:
    """As above from the best opposite price, and never outside the band around the last price; 0: nobody to trade with."""
    best = best_opposite(state, order)
    if not best:
        return 0
    cap = cap_around(market, order, best)
    band = market.rules.band_ppm
    if band and market.last:
        lowest, highest = ceiling(market.last * (PPM - band)), market.last * (PPM + band) // PPM
        cap = min(cap, highest) if order.side == BUY else max(cap, lowest)
    return cap


def ceiling(millionths: int) -> int:
    return -(-millionths // PPM)


def trailing_stop_at(order: NaiveOrder) -> int:
    """Where a trailing stop stands for the extreme it has seen."""
    offset = order.trail_ticks or max(1, order.extreme * order.trail_ppm // PPM)
    if order.side == SELL:
        return max(1, order.extreme - offset)
    return order.extreme + offset
