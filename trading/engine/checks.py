"""What an order must meet before it may begin: the order of these checks is part of the engine's contract.

A check looks and does nothing; its answer is the code of the refusal, "" where all is well. Funds come last of all and are
not judged here (see funds.py).
"""

from __future__ import annotations

from trading.engine.book import Book, Order
from trading.engine.rules import BUY, FOK, GTC, GTD, IOC, LIMIT, MARKET, OPEN, POST_ONLY, PPM, TRAILING_STOP
from trading.engine.triggers import is_met

MARKET_NOT_FOUND = "market_not_found"
MARKET_CLOSED = "market_closed"
MARKET_POST_ONLY = "market_post_only"
CLIENT_ORDER_ID_TAKEN = "client_order_id_taken"
ALREADY_EXPIRED = "already_expired"
TOO_MANY_OPEN_ORDERS = "too_many_open_orders"
PRICE_OUT_OF_BAND = "price_out_of_band"
NOTIONAL_TOO_SMALL = "notional_too_small"
NO_REFERENCE_PRICE = "no_reference_price"
STOP_WOULD_TRIGGER = "stop_would_trigger"
POST_ONLY_WOULD_MATCH = "post_only_would_match"


def of_new(book: Book, order: Order, more: int) -> str:
    """May this order be placed, as one of `more` new ones?"""
    at_once = order.time_in_force is IOC or order.time_in_force is FOK
    if book.state is not OPEN:
        if book.state is not POST_ONLY:
            return MARKET_CLOSED
        if at_once:
            return MARKET_POST_ONLY
    if order.client_order_id is not None and order.client_order_id in order.account.named:
        return CLIENT_ORDER_ID_TAKEN
    if order.time_in_force is GTD and order.terms.expires_at <= order.created_at:
        return ALREADY_EXPIRED
    most = book.market.max_open_orders
    if most and not at_once and order.account.would_have_too_many(book.market.id, more, most):
        return TOO_MANY_OPEN_ORDERS
    return of_price(book, order, order.kind is not LIMIT and order.kind is not MARKET)


def of_price(book: Book, order: Order, waits: bool) -> str:
    """May this order have its price, its size and its trigger? Asked of a new order, and of an amended one anew.

    `waits` tells whether it will wait for a price: an order whose trigger was met before is a limit order like any other.
    """
    market, last_price = book.market, book.last_price
    if market.band_ppm and order.price:
        reference = order.stop_price if waits else last_price
        if reference and abs(order.price - reference) * PPM > market.band_ppm * reference:
            return PRICE_OUT_OF_BAND
    if market.min_notional and not _notional_is_enough(book, order):
        return NOTIONAL_TOO_SMALL
    if waits:
        if order.kind is TRAILING_STOP and not last_price:
            return NO_REFERENCE_PRICE
        if last_price and is_met(order, last_price):
            return STOP_WOULD_TRIGGER
    elif (order.terms.post_only or book.state is POST_ONLY) and would_match(book, order):
        return POST_ONLY_WOULD_MATCH
    return ""


def would_match(book: Book, order: Order) -> bool:
    """Whether a limit order would take something at once."""
    level = book.opposite(order.side).best()
    if level is None or not (order.time_in_force is GTC or order.time_in_force is GTD):
        return False
    return level.price <= order.price if order.side is BUY else level.price >= order.price


def _notional_is_enough(book: Book, order: Order) -> bool:
    """By price, by quote amount, by stop price or by the best price it would meet; unknown is enough."""
    if order.quote_units:
        return order.quote_units >= book.market.min_notional
    price = order.price or order.stop_price
    if not price and order.kind is MARKET:
        level = book.opposite(order.side).best()
        if level is None:
            return True
        price = level.price
    return not price or price * order.lots * book.market.tick_quote_units >= book.market.min_notional
