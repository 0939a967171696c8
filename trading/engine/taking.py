"""An incoming order takes from the book: the best price first, the lowest rank first at a price, at the resting order's price.

What must never happen here: a price worse than the taker's worst, a trade of somebody with himself, or a loop without an end
(each step costs one of the command's FILLS_PER_COMMAND_MAX).
"""

from __future__ import annotations

from trading.engine.book import Book, Ladder, Level, Order
from trading.engine.events import Closed, Event, Reduced, Traded
from trading.engine.rules import BUY, CANCEL_NEWEST, CANCEL_OLDEST, DECREMENT, PPM
from trading.engine.state import FILLED, SELF_TRADE, SHARDS_MAX, TOO_MANY_FILLS, TOO_SMALL, State
from trading.engine.undo import Ended, Filled, Refilled, Resized


def take(state: State, book: Book, taker: Order, worst: int, events: list[Event]) -> str:
    """Fill the taker at `worst` or better; the answer says why it stopped, "" where the book has nothing more for it."""
    buying = taker.side is BUY
    opposite = book.asks if buying else book.bids
    while True:
        level = opposite.best()
        if level is None or (level.price > worst if buying else level.price < worst):
            return ""
        lots = wanted(book, taker, level.price)
        if lots == 0:
            return FILLED if taker.filled_lots else TOO_SMALL
        if state.fills_left == 0:
            return TOO_MANY_FILLS
        maker = level.head
        assert maker is not None, "best() gives levels with orders only"
        if maker.user_id == taker.user_id:
            if meets_own(state, book, maker, taker, lots, events):
                return SELF_TRADE
        else:
            fill(state, book, opposite, level, maker, taker, min(lots, maker.shown), events)
            if taker.filled_lots == taker.lots or taker.filled_quote == taker.quote_units:
                return FILLED


def wanted(book: Book, taker: Order, price: int) -> int:
    """How many lots the taker still wants at this price: what is left of its quantity, or of its quote amount."""
    if taker.lots:
        return taker.lots - taker.filled_lots
    return (taker.quote_units - taker.filled_quote) // (price * book.market.tick_quote_units)


def fill(
    state: State, book: Book, half: Ladder, level: Level, maker: Order, taker: Order, lots: int, events: list[Event]
) -> None:
    """One trade. The maker pays out of its hold; an iceberg whose slice is used up shows the next, behind the others."""
    market, price, buying = book.market, level.price, taker.side is BUY
    base, quote = lots * market.lot_base_units, price * lots * market.tick_quote_units
    maker_ppm, taker_ppm = market.maker_fee_ppm, market.taker_fee_ppm
    if (rates := maker.account.rates) is not None:
        maker_ppm = min(maker_ppm, rates.maker_ppm)
    if (rates := taker.account.rates) is not None:
        taker_ppm = min(taker_ppm, rates.taker_ppm)
    buyer, seller = (taker, maker) if buying else (maker, taker)
    # Inline, because it runs for every fill: fees.fee is the same rule, and tests hold the two together.
    buyer_fee = -(-(base * (taker_ppm if buying else maker_ppm)) // PPM)
    seller_fee = -(-(quote * (maker_ppm if buying else taker_ppm)) // PPM)
    trade = Traded(
        state.next_trade * SHARDS_MAX + state.shard, market.id, price, lots, base, quote, taker.side, maker.id, taker.id,
        maker.user_id, taker.user_id, buyer_fee, seller_fee, buyer.base_account, buyer.quote_account,
        seller.base_account, seller.quote_account,
    )  # fmt: skip
    state.log.append(Filled(book, maker, taker, trade))
    state.next_trade += 1
    state.fills_left -= 1
    buyer.filled_lots += lots
    buyer.filled_quote += quote
    buyer.fee += buyer_fee
    seller.filled_lots += lots
    seller.filled_quote += quote
    seller.fee += seller_fee
    maker.shown -= lots
    maker.held -= base if buying else quote
    maker.updated_at = state.at
    level.lots -= lots
    book.last_price = price
    if state.first_price == 0:
        state.first_price = price
    events.append(trade)
    if maker.partner:
        state.part(book, maker, events)
    if maker.filled_lots == maker.lots:
        finish(state, book, maker, events)
    elif maker.shown == 0:
        refill(state, book, half, maker)


def finish(state: State, book: Book, maker: Order, events: list[Event]) -> None:
    """A resting order is filled. As `State.close`, for the case that comes with nearly every trade: no hold, no partner."""
    state.log.append(Ended(book, maker))
    state.displace(book, maker)
    maker.reason = FILLED
    events.append(Closed(maker.id, maker.pay_account, maker.price, 0, FILLED))


def refill(state: State, book: Book, half: Ladder, iceberg: Order) -> None:
    """The next slice stands behind all others at the price."""
    state.log.append(Refilled(book, iceberg))
    half.remove(iceberg)
    iceberg.rank = state.next_order
    state.next_order += 1
    iceberg.shown = min(iceberg.terms.display_lots, iceberg.lots - iceberg.filled_lots)
    half.add(iceberg, iceberg.price)


# --- Self-trade prevention -----------------------------------------------------------------------------------------------


def meets_own(state: State, book: Book, maker: Order, taker: Order, lots: int, events: list[Event]) -> bool:
    """The taker would trade with its owner's own order; the taker's mode says which of them gives way. Whether it stops."""
    mode = taker.terms.self_trade
    if mode is CANCEL_NEWEST:
        return True
    state.fills_left -= 1
    if mode is DECREMENT:
        return decrement(state, book, maker, taker, lots, events)
    state.close(book, maker, SELF_TRADE, events)
    return mode is not CANCEL_OLDEST


def decrement(state: State, book: Book, maker: Order, taker: Order, lots: int, events: list[Event]) -> bool:
    """Both lose what they would have traded: the smaller is done, the other smaller by it. Whether the taker is done."""
    maker_lots = maker.lots - maker.filled_lots
    if lots < maker_lots:
        shrink(state, book, maker, lots, events)
        if maker.partner:
            state.part(book, maker, events)
        return True
    price = maker.price
    state.close(book, maker, SELF_TRADE, events)
    if lots == maker_lots:
        return True
    state.log.append(Resized(book, taker))
    if taker.lots:
        taker.lots -= maker_lots
    else:
        taker.quote_units -= maker_lots * price * book.market.tick_quote_units
    left = taker.lots - taker.filled_lots if taker.lots else 0
    events.append(Reduced(taker.id, taker.pay_account, 0, left, 0))
    return False


def shrink(state: State, book: Book, order: Order, lots: int, events: list[Event]) -> None:
    """A standing order is smaller by so many lots, keeps its place, and gives back what it need not hold any more."""
    state.log.append(Resized(book, order))
    order.lots -= lots
    left = order.lots - order.filled_lots
    released = order.held - order.hold(book.market)
    order.held -= released
    order.updated_at = state.at
    if order.shown > left:
        order.level.lots -= order.shown - left
        order.shown = left
    # An order outside the book has no price there; `shown` is above zero in it alone.
    price = order.price if order.shown else 0
    events.append(Reduced(order.id, order.pay_account, price, left, released))
