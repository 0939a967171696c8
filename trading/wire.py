"""What travels between a web process and the engine: commands one way, replies the other, as JSON in Valkey.

Commands go to a stream, `engine:{shard}:commands`; replies come back by publish/subscribe to `engine:replies:{process}`.
Pure, and the only place that knows the form of either. What must never happen here: a command taken from the stream on trust.
`decode` checks every field again, because the stream is a thing that others can write to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from trading.engine.commands import PLAIN, Cancel, Place, SetMarketState
from trading.engine.rules import LOTS_MAX, TICKS_MAX, Kind, MarketState, Side, TimeInForce
from trading.presentation import OrderRow

ACCEPTED = "accepted"
DUPLICATE = "duplicate"
BODY_BYTES_MAX = 1_024
CLIENT_ORDER_ID = re.compile(r"[A-Za-z0-9_-]{1,36}", re.ASCII)
_PROCESS = re.compile(r"[A-Za-z0-9-]{0,64}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
_SIDES = {int(side): side for side in Side}
_KINDS = {int(kind): kind for kind in Kind}
_TIMES_IN_FORCE = {int(time_in_force): time_in_force for time_in_force in TimeInForce}
_MARKET_STATES = {int(state): state for state in MarketState}
_WHOLE = re.compile(r"[0-9]{1,77}", re.ASCII)
_INT64_MAX = 2**63 - 1

# One call: the backlog's bound, a name for a stream that begins anew, and the command itself.
APPEND = """
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then return false end
if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('SET', KEYS[2], ARGV[2]) end
return redis.call('XADD', KEYS[1], '*', 'c', ARGV[3])
"""


def stream(shard: int) -> str:
    return f"engine:{shard}:commands"


def generation(shard: int) -> str:
    """The key that names the life of a stream: it goes when Valkey loses its data, and so tells that the stream did."""
    return f"engine:{shard}:generation"


def leader(shard: int) -> str:
    return f"engine:{shard}:leader"


def replies(process: str) -> str:
    return f"engine:replies:{process}"


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
    command: Place | Cancel | SetMarketState
    body: bytes


def encode_place(
    *, uuid: UUID, process: str, asked_at_ms: int, user_id: int, market_id: int, side: int, kind: int, time_in_force: int,
    price: int, lots: int, quote_units: int, client_order_id: str | None,
) -> bytes:  # fmt: skip
    return orjson.dumps(
        {
            "op": "place", "id": str(uuid), "process": process, "at": asked_at_ms, "user": user_id, "market": market_id,
            "side": side, "kind": kind, "tif": time_in_force, "price": price, "lots": lots, "quote": str(quote_units),
            "client": client_order_id,
        }
    )  # fmt: skip


def encode_cancel(
    *, uuid: UUID, process: str, asked_at_ms: int, user_id: int, order_id: int, client_order_id: str | None
) -> bytes:
    return orjson.dumps(
        {
            "op": "cancel", "id": str(uuid), "process": process, "at": asked_at_ms, "user": user_id, "order": order_id,
            "client": client_order_id,
        }
    )  # fmt: skip


def encode_market_state(
    *, uuid: UUID, process: str, asked_at_ms: int, user_id: int, market_id: int, state: int
) -> bytes:
    """`user_id` is the member of staff who asks."""
    return orjson.dumps(
        {
            "op": "market_state", "id": str(uuid), "process": process, "at": asked_at_ms, "user": user_id,
            "market": market_id, "state": state,
        }
    )  # fmt: skip


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
    op = given["op"]
    command: Place | Cancel | SetMarketState
    if op == "place":
        command = _place(given, user_id, client)
    elif op == "cancel":
        command = Cancel(user_id=user_id, order_id=_whole(given["order"], _INT64_MAX), client_order_id=client, at=0)
    elif op == "market_state":
        command = SetMarketState(market_id=_whole(given["market"], 2**15), state=_MARKET_STATES[given["state"]], at=0)
    else:
        raise ValueError("op")
    process, uuid = given["process"], given["id"]
    if not _PROCESS.fullmatch(process) or not _UUID.fullmatch(uuid):
        raise ValueError("process or id")
    return Asked(
        uuid=uuid,
        process=process,
        asked_at_ms=_whole(given["at"], _INT64_MAX),
        user_id=user_id,
        client_order_id=client if op == "place" else None,
        command=command,
        body=body,
    )


def _place(given: dict[str, Any], user_id: int, client: str | None) -> Place:
    kind = _KINDS[given["kind"]]
    price, lots = _whole(given["price"], TICKS_MAX), _whole(given["lots"], LOTS_MAX)
    if not _WHOLE.fullmatch(given["quote"]):
        raise ValueError("quote")
    quote_units = int(given["quote"])
    if (lots > 0) == (quote_units > 0):
        raise ValueError("an order is by quantity or by quote amount")
    if kind == Kind.LIMIT and not (price and lots):
        raise ValueError("a limit order has a price and a quantity")
    time_in_force = _TIMES_IN_FORCE[given["tif"]]
    if kind == Kind.MARKET and (price or time_in_force != TimeInForce.IOC):
        raise ValueError("a market order has no price and never rests")
    return Place(
        market_id=_whole(given["market"], 2**15),
        user_id=user_id,
        side=_SIDES[given["side"]],
        kind=kind,
        time_in_force=time_in_force,
        price=price,
        lots=lots,
        quote_units=quote_units,
        base_account=0,
        quote_account=0,
        client_order_id=client,
        terms=PLAIN,
        at=0,
    )


def _whole(value: object, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError("not a whole number in range")
    return value


def unpack_order(packed: Sequence[Any]) -> OrderRow:
    """An order out of a record or a reply, where amounts of base units are text."""
    values = list(packed)
    for place in _WIDE:
        values[place] = int(values[place])
    return OrderRow(*values)


_WIDE = tuple(OrderRow._fields.index(name) for name in ("quote_units", "filled_quote", "fee"))
