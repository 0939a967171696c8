"""What travels between a web process and the engine: commands one way, replies the other, as JSON in Valkey.

Commands go to a stream, `engine:{shard}:commands`; replies come back by publish/subscribe to `engine:replies:{process}`.
Pure, and the only place that knows the form of either. What must never happen here: a command taken from the stream on trust.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trading.presentation import OrderRow
from trading.wire.decoding import BODY_BYTES_MAX, CANCEL_REASONS, CLIENT_ORDER_ID, Asked, Malformed, decode
from trading.wire.encoding import (
    encode_amend,
    encode_cancel,
    encode_cancel_all,
    encode_countdown,
    encode_fees,
    encode_market,
    encode_market_open,
    encode_market_state,
    encode_oco,
    encode_place,
    encode_tick,
)

__all__ = [
    "ACCEPTED",
    "APPEND",
    "BODY_BYTES_MAX",
    "CANCEL_REASONS",
    "CLIENT_ORDER_ID",
    "DUPLICATE",
    "Asked",
    "Malformed",
    "decode",
    "encode_amend",
    "encode_cancel",
    "encode_cancel_all",
    "encode_countdown",
    "encode_fees",
    "encode_market",
    "encode_market_open",
    "encode_market_state",
    "encode_oco",
    "encode_place",
    "encode_tick",
    "generation",
    "leader",
    "replies",
    "stream",
    "unpack_order",
]

ACCEPTED = "accepted"
DUPLICATE = "duplicate"

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


def unpack_order(packed: Sequence[Any]) -> OrderRow:
    """An order out of a record or a reply, where amounts of base units are text. A plain one ends with its hold."""
    values = list(packed)
    for place in _WIDE:
        if place < len(values):
            values[place] = int(values[place])
    if len(values) > _POST_ONLY:
        values[_POST_ONLY] = bool(values[_POST_ONLY])
    return OrderRow(*values)


_WIDE = tuple(OrderRow._fields.index(name) for name in ("quote_units", "filled_quote", "fee", "held"))
_POST_ONLY = OrderRow._fields.index("post_only")
