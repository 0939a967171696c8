"""The bytes of the stream back to commands: strict, because others can write there.

What must never happen here: a field believed that was not checked, or an exception other than Malformed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import orjson

from trading.engine.commands import (
    PLAIN,
    Amend,
    Cancel,
    CancelAll,
    Command,
    Countdown,
    OpenMarket,
    Place,
    PlaceOco,
    SetFees,
    SetMarket,
    SetMarketState,
    Terms,
    Tick,
)
from trading.engine.rules import (
    LOTS_MAX,
    PPM,
    TICKS_MAX,
    Kind,
    Market,
    MarketState,
    SelfTrade,
    Side,
    TimeInForce,
    fees_are_possible,
)

# One command; a batch of a customer's is many. The longest there is, a market with all its rules, takes 700.
BODY_BYTES_MAX = 1_024
CANCEL_REASONS = ("user", "staff", "disconnect")
CLIENT_ORDER_ID = re.compile(r"[A-Za-z0-9_-]{1,36}", re.ASCII)
_PROCESS = re.compile(r"[A-Za-z0-9-]{0,64}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
Word = TypeVar("Word")
_SIDES = {int(side): side for side in Side}
_KINDS = {int(kind): kind for kind in Kind}
_TIMES_IN_FORCE = {int(time_in_force): time_in_force for time_in_force in TimeInForce}
_MARKET_STATES = {int(state): state for state in MarketState}
_SELF_TRADE = {int(mode): mode for mode in SelfTrade}
_WHOLE = re.compile(r"[0-9]{1,77}", re.ASCII)
_INT64_MAX = 2**63 - 1
_MARKETS_MAX = 2**15 - 1
_ASSETS_MAX = 2**31 - 1

# What each kind of order may say. Whoever has a price has a quantity, too; only those without may be by quote amount.
PRICED = frozenset({Kind.LIMIT, Kind.STOP_LIMIT, Kind.TAKE_PROFIT_LIMIT})
STOPPED = frozenset({Kind.STOP, Kind.STOP_LIMIT, Kind.TAKE_PROFIT, Kind.TAKE_PROFIT_LIMIT})
TRIGGERED = STOPPED | {Kind.TRAILING_STOP}
LASTING = frozenset({TimeInForce.GTC, TimeInForce.GTD})
IN_FORCE = {
    Kind.LIMIT: frozenset(TimeInForce),
    Kind.MARKET: frozenset({TimeInForce.IOC, TimeInForce.FOK}),
    **dict.fromkeys(TRIGGERED, LASTING),
}


class Malformed(ValueError):
    """Bytes in the stream that are no command of ours."""


class Asked(NamedTuple):
    """A command as it came: who waits for the answer, when it was asked, and the bytes to keep.

    `command` still lacks the owner's ledger accounts (0) and the engine's time (0), which the engine process fills in.
    """

    uuid: str  # canonical
    process: str
    asked_at_ms: int
    user_id: int
    client_order_id: str | None  # of a new order, to find the first result of a retry
    command: Command
    body: bytes


def decode(body: bytes) -> Asked:
    """The command in the bytes. Raises Malformed, and nothing else, whatever the bytes are."""
    if len(body) > BODY_BYTES_MAX:
        raise Malformed("too long")
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed("not JSON") from error
    if type(given) is not dict:
        raise Malformed("not an object")
    try:
        return _asked(given, body)
    except (KeyError, TypeError, ValueError) as error:
        raise Malformed(f"{type(error).__name__}: {error}") from error


def _asked(given: dict[str, Any], body: bytes) -> Asked:
    user_id = _whole(given["user"], _INT64_MAX)
    client = given.get("client")
    if client is not None and not CLIENT_ORDER_ID.fullmatch(client):
        raise ValueError("client")
    process, uuid, op = given["process"], given["id"], given["op"]
    if not _PROCESS.fullmatch(process) or not _UUID.fullmatch(uuid):
        raise ValueError("process or id")
    command = _COMMANDS[op](given, user_id, client)
    named = client if op == "place" or op == "oco" else None
    return Asked(uuid, process, _whole(given["at"], _INT64_MAX), user_id, named, command, body)


def _place(given: dict[str, Any], user_id: int, client: str | None) -> Place:
    kind, time_in_force = _one_of(_KINDS, given["kind"]), _one_of(_TIMES_IN_FORCE, given["tif"])
    price, lots = _whole(given["price"], TICKS_MAX), _whole(given["lots"], LOTS_MAX)
    side, quote_units = _one_of(_SIDES, given["side"]), _units(given["quote"])
    if (lots > 0) == (quote_units > 0):
        raise ValueError("an order is by quantity or by quote amount")
    if kind is not Kind.LIMIT or time_in_force is TimeInForce.GTD or "terms" in given:
        terms = _terms(given.get("terms", {}), kind, time_in_force, lots)
        _refuse_a_misfit(kind, time_in_force, side, price, lots)
    elif price and lots:
        terms = PLAIN
    else:
        raise ValueError("a limit order has a price and a quantity")
    market_id = _whole(given["market"], _MARKETS_MAX)
    return Place(market_id, user_id, side, kind, time_in_force, price, lots, quote_units, 0, 0, client, terms, 0)


def _refuse_a_misfit(kind: Kind, time_in_force: TimeInForce, side: Side, price: int, lots: int) -> None:
    if kind in PRICED and not (price and lots):
        raise ValueError("this kind has a price and a quantity")
    if kind not in PRICED and price:
        raise ValueError("this kind has no price")
    if kind in TRIGGERED and not lots and side is Side.SELL:
        raise ValueError("only a buy may wait by quote amount: nothing else holds quote")
    if time_in_force not in IN_FORCE[kind]:
        raise ValueError("this kind does not last so")


def _terms(given: Any, kind: Kind, time_in_force: TimeInForce, lots: int) -> Terms:
    if type(given) is not dict or not given.keys() <= _TERMS:
        raise ValueError("terms")
    post_only = given.get("post_only", False)
    terms = Terms(
        post_only,
        _one_of(_SELF_TRADE, given.get("self_trade", 1)),
        _whole(given.get("display", 0), LOTS_MAX),
        _whole(given.get("stop", 0), TICKS_MAX),
        _whole(given.get("trail_ticks", 0), TICKS_MAX),
        _whole(given.get("trail_ppm", 0), PPM - 1),
        _whole(given.get("slippage", 0), PPM),
        _whole(given.get("expires_at", 0), _INT64_MAX),
    )
    rests = kind is Kind.LIMIT and time_in_force in LASTING
    if type(post_only) is not bool or (post_only and not rests):
        raise ValueError("post_only")
    if terms.display_lots and not (rests and terms.display_lots < lots):
        raise ValueError("display")
    if (terms.stop_price > 0) != (kind in STOPPED):
        raise ValueError("stop")
    if (terms.trail_ticks > 0) + (terms.trail_ppm > 0) != (kind is Kind.TRAILING_STOP):
        raise ValueError("trail")
    if terms.slippage_ppm and kind in PRICED:
        raise ValueError("slippage")
    if (terms.expires_at > 0) != (time_in_force is TimeInForce.GTD):
        raise ValueError("expires_at")
    return terms


def _oco(given: dict[str, Any], user_id: int, client: str | None) -> PlaceOco:
    market_id, lots = _whole(given["market"], _MARKETS_MAX), _whole(given["lots"], LOTS_MAX)
    side, time_in_force = _one_of(_SIDES, given["side"]), _one_of(_TIMES_IN_FORCE, given["tif"])
    price, limit = _whole(given["price"], TICKS_MAX), _whole(given["limit"], TICKS_MAX)
    if not price or not lots or time_in_force not in LASTING:
        raise ValueError("a pair has prices and a quantity, and lasts")
    common = {"self_trade": given["self_trade"], "expires_at": given["expires_at"]}
    kind = Kind.STOP_LIMIT if limit else Kind.STOP
    resting = _terms(common, Kind.LIMIT, time_in_force, lots)
    waiting = _terms({**common, "stop": given["stop"], "slippage": given["slippage"]}, kind, time_in_force, lots)
    return PlaceOco(
        Place(market_id, user_id, side, Kind.LIMIT, time_in_force, price, lots, 0, 0, 0, client, resting, 0),
        Place(market_id, user_id, side, kind, time_in_force, limit, lots, 0, 0, 0, None, waiting, 0),
        0,
    )


def _amend(given: dict[str, Any], user_id: int, client: str | None) -> Amend:
    order_id = _named(given, client)
    price, lots = _whole(given["price"], TICKS_MAX), _whole(given["lots"], LOTS_MAX)
    stop_price = _whole(given["stop"], TICKS_MAX)
    if not (price or lots or stop_price):
        raise ValueError("nothing to amend")
    return Amend(user_id, order_id, client, price, lots, stop_price, 0)


def _cancel(given: dict[str, Any], user_id: int, client: str | None) -> Cancel:
    return Cancel(user_id, _named(given, client), client, 0)


def _named(given: dict[str, Any], client: str | None) -> int:
    order_id = _whole(given["order"], _INT64_MAX)
    if (order_id > 0) == (client is not None):
        raise ValueError("an order is named by its id or by its owner's own")
    return order_id


def _cancel_all(given: dict[str, Any], user_id: int, client: str | None) -> CancelAll:
    market_id, side, reason = _whole(given["market"], _MARKETS_MAX), _whole(given["side"], 2), given["reason"]
    if reason not in CANCEL_REASONS:
        raise ValueError("reason")
    return CancelAll(user_id, market_id, side, reason, 0)


def _countdown(given: dict[str, Any], user_id: int, client: str | None) -> Countdown:
    return Countdown(user_id, _whole(given["until"], _INT64_MAX), 0)


def _fees(given: dict[str, Any], user_id: int, client: str | None) -> SetFees:
    maker, taker = given["maker"], given["taker"]
    if type(maker) is not int or type(taker) is not int or not fees_are_possible(maker, taker):
        raise ValueError("fees")
    return SetFees(user_id, maker, taker, 0)


def _market_open(given: dict[str, Any], user_id: int, client: str | None) -> OpenMarket:
    return OpenMarket(_rules(given), _one_of(_MARKET_STATES, given["state"]), 0)


def _market(given: dict[str, Any], user_id: int, client: str | None) -> SetMarket:
    return SetMarket(_rules(given), 0)


def _market_state(given: dict[str, Any], user_id: int, client: str | None) -> SetMarketState:
    return SetMarketState(_whole(given["market"], _MARKETS_MAX), _one_of(_MARKET_STATES, given["state"]), 0)


def _tick(given: dict[str, Any], user_id: int, client: str | None) -> Tick:
    return Tick(0)


def _rules(given: dict[str, Any]) -> Market:
    rules = given["rules"]
    maker, taker = rules["maker"], rules["taker"]
    if type(maker) is not int or type(taker) is not int:
        raise ValueError("fees")
    return Market(
        id=_whole(given["market"], _MARKETS_MAX),
        base_asset_id=_whole(rules["base"], _ASSETS_MAX),
        quote_asset_id=_whole(rules["quote"], _ASSETS_MAX),
        lot_base_units=_units(rules["lot"]),
        tick_quote_units=_units(rules["tick"]),
        maker_fee_ppm=maker,
        taker_fee_ppm=taker,
        min_notional=_units(rules["min"]),
        band_ppm=_whole(rules["band"], PPM),
        slippage_ppm=_whole(rules["slippage"], PPM),
        max_open_orders=_whole(rules["max_open"], _ASSETS_MAX),
    )


_COMMANDS: dict[str, Callable[[dict[str, Any], int, str | None], Command]] = {
    "place": _place, "oco": _oco, "amend": _amend, "cancel": _cancel, "cancel_all": _cancel_all, "countdown": _countdown,
    "fees": _fees, "market_open": _market_open, "market": _market, "market_state": _market_state, "tick": _tick,
}  # fmt: skip
_TERMS = frozenset({"post_only", "self_trade", "display", "stop", "trail_ticks", "trail_ppm", "slippage", "expires_at"})


def _whole(value: object, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError("not a whole number in range")
    return value


def _one_of(words: dict[int, Word], number: object) -> Word:
    # true and 1.0 equal 1 as keys, and are numbers of nothing.
    if type(number) is not int:
        raise ValueError("not a whole number")
    return words[number]


def _units(text: Any) -> int:
    if text == "0":
        return 0
    if not _WHOLE.fullmatch(text):
        raise ValueError("not an amount of base units")
    return int(text)
