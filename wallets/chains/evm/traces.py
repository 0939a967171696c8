"""Native coin that a contract paid inside a transaction: it leaves no log, so it is read from the tree of calls.

Counted are calls that carry a value, in branches that did not fail. A self-destruct is not counted: what it leaves behind belongs
to nobody here until staff say whose it is. What must never happen here: a payment that an outer call took back, a value that a
delegate call only repeats, or the transaction's own value a second time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from eth_hash.auto import keccak

from wallets.chains.protocol import MalformedData, hexadecimal, text

TRACER = {"tracer": "callTracer"}
CALLS_MAX = 1_000_000  # in one transaction; a block's gas limit allows far fewer
PATH_LENGTH_MAX = 30  # a credit's identity is kept in 40 characters; a longer path goes by its hash


def by_txid(traced: object, txids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The outermost call of each transaction. Raises MalformedData where the answer is of others."""
    if not isinstance(traced, list):
        raise MalformedData("a block's traces are not a list")
    own = [trace for trace in traced if isinstance(trace, dict) and trace.get("txHash", "") in ("", *txids)]
    if len(own) != len(txids):
        raise MalformedData("a block and its traces differ in number")
    trees: dict[str, dict[str, Any]] = {}
    for txid, trace in zip(txids, own, strict=True):
        if trace.get("txHash", txid) != txid or not isinstance(trace.get("result"), dict):
            raise MalformedData("a trace belongs to another transaction, or is none")
        trees[txid] = trace["result"]
    return trees


def payments(tree: dict[str, Any]) -> Iterator[tuple[str, bytes, int]]:
    """(path, to, amount) of every inner call that paid and was not taken back, in the order of the tree.

    The outermost call is left out: its value is the transaction's own. The tree is walked without recursion: a contract may nest
    a thousand calls.
    """
    waiting: list[tuple[str, Any]] = [("", tree)]
    seen = 0
    while waiting:
        path, call = waiting.pop()
        seen += 1
        if not isinstance(call, dict) or seen > CALLS_MAX:
            raise MalformedData("a call is not an object, or there are too many")
        if call.get("error") or call.get("revertReason"):
            continue
        if path and call.get("type") == "CALL":
            amount = _amount(call.get("value"))
            if amount:
                yield _short(path), _twenty(call.get("to")), amount
        inner = call.get("calls", [])
        if not isinstance(inner, list):
            raise MalformedData("a call's inner calls are not a list")
        below = f"{path}." if path else ""
        waiting += [(f"{below}{place}", each) for place, each in reversed(list(enumerate(inner)))]


def _short(path: str) -> str:
    return path if len(path) <= PATH_LENGTH_MAX else "#" + keccak(path.encode()).hex()[:PATH_LENGTH_MAX]


def _amount(value: object) -> int:
    if value is None:
        return 0
    body = text(value, "value", maximum=66)
    try:
        amount = int(body, 16)
    except ValueError:
        amount = -1
    if amount < 0 or not body.startswith("0x"):
        raise MalformedData("a call's value is not a quantity")
    return amount


def _twenty(value: object) -> bytes:
    key = hexadecimal(value, "address")
    if len(key) != 20:
        raise MalformedData("an address has 20 bytes")
    return key
