"""JSON-RPC to one bitcoind or litecoind, over python-bitcoinrpc and its habits.

That library shares one connection between threads, keeps using it after a half-read answer, turns a Decimal into a float and
lets http.client's errors through. So: one proxy a thread, thrown away after any error; no Decimal ever goes in; every
failure comes out as NodeUnavailable (no answer: the outcome is unknown) or NodeRefused (the node said no).
What must never happen here: a call repeated that the node may have carried out, or credentials in a message.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from bitcoinrpc.authproxy import AuthServiceProxy, JSONRPCException

from wallets.chains import nested
from wallets.chains.protocol import MalformedData, NodeRefused, NodeUnavailable

TIMEOUT_S = 30
ANSWER_SIZE_MAX = 400_000_000  # bytes; a whole block with what it spends stays far below
_CHUNK = 1 << 20
BATCH_MAX = 500
COINS_MAX = 10**12  # far above any coin's supply
_WARMING_UP = -28
_LIBRARY_CODES = (-342, -343)  # "no HTTP response", "not JSON", "no result": the library's own, not the node's
_TRANSPORT_ERRORS = (
    OSError,
    http.client.HTTPException,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,
)


class _Proxy(AuthServiceProxy):  # type: ignore[misc]
    """Reads answers in the library's place: it goes down the stack as deep as a server likes, and writes all it hears to a log.

    It also asks in JSON-RPC 2.0 when it batches, and then looks for an `error` that 2.0 leaves out of good answers.
    """

    def __getattr__(self, name: str) -> Any:
        made = super().__getattr__(name)
        made.__class__ = _Proxy
        return made

    def _get_response(self) -> Any:
        reply = self._AuthServiceProxy__conn.getresponse()
        if reply.getheader("Content-Type") != "application/json":
            raise JSONRPCException({"code": _LIBRARY_CODES[0], "message": f"HTTP {reply.status} without JSON"})
        content = bytearray()
        while piece := reply.read(_CHUNK):
            content += piece
            if len(content) > ANSWER_SIZE_MAX:
                raise ValueError("the answer is too large")
        answer = nested.loads(bytes(content), parse_float=Decimal)
        if isinstance(answer, list):
            for each in answer:
                each.setdefault("error", None)
        return answer


class Rpc:
    """One node. Safe to share between threads and cheap to make: it connects at the first call."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._local = threading.local()

    def call(self, method: str, *params: Any) -> Any:
        """The result of a reading call. Raises NodeUnavailable or NodeRefused. Numbers with a fraction come back as Decimal."""
        kept_open = getattr(self._local, "proxy", None) is not None
        try:
            return self._ask(method, params)
        except NodeUnavailable:
            # The node closes connections that were idle; a read may be asked again on a new one, once.
            if not kept_open:
                raise
        return self._ask(method, params)

    def send(self, method: str, *params: Any) -> Any:
        """The result of a call that changes something: on a connection of its own, and never a second time."""
        self._drop()
        return self._ask(method, params)

    def _ask(self, method: str, params: Sequence[Any]) -> Any:
        try:
            return getattr(self._proxy(), method)(*params)
        except JSONRPCException as error:
            raise self._refusal(error) from None
        except _TRANSPORT_ERRORS as error:
            self._drop()
            raise NodeUnavailable(f"the node does not answer ({type(error).__name__})") from None

    def batch(self, calls: Sequence[Sequence[Any]]) -> list[Any]:
        """The results of several calls in one request, None for each that the node refuses. Reading calls only."""
        results: list[Any] = []
        self._drop()
        for start in range(0, len(calls), BATCH_MAX):
            results += self._batch(calls[start : start + BATCH_MAX])
        return results

    def _batch(self, calls: Sequence[Sequence[Any]]) -> list[Any]:
        try:
            results = list(self._proxy().batch_([list(call) for call in calls]))
        except JSONRPCException as error:
            refusal = self._refusal(error)
            if isinstance(refusal, NodeUnavailable):
                raise refusal from None
            # The library gives up on the first refusal and hides which one it was: ask one by one.
            return [self._one(call) for call in calls]
        except _TRANSPORT_ERRORS as error:
            self._drop()
            raise NodeUnavailable(f"the node does not answer ({type(error).__name__})") from None
        if len(results) != len(calls):
            raise NodeUnavailable("the node's answer leaves out some of the questions")
        return results

    def _one(self, call: Sequence[Any]) -> Any:
        try:
            return self.call(call[0], *call[1:])
        except NodeRefused:
            return None

    def _proxy(self) -> Any:
        proxy = getattr(self._local, "proxy", None)
        if proxy is None:
            try:
                proxy = self._local.proxy = _Proxy(self._url, timeout=self._timeout_s)
            except (ValueError, AttributeError, TypeError):
                raise NodeUnavailable("the node's URL is not http://user:password@host:port") from None
        return proxy

    def _drop(self) -> None:
        self._local.proxy = None

    def _refusal(self, error: JSONRPCException) -> NodeUnavailable | NodeRefused:
        code = error.code if isinstance(error.code, int) else 0
        # What is left unread on the connection would be taken for the next call's answer.
        self._drop()
        if code == _WARMING_UP:
            return NodeUnavailable("the node is starting up")
        if code in _LIBRARY_CODES:
            return NodeUnavailable("the node's answer is not JSON-RPC (is it the right URL and password?)")
        return NodeRefused(str(error.message), node_code=code)


def base_units(coins: object, name: str, *, decimals: int = 8) -> int:
    """Coins as the node writes them (Decimal or int) in base units, exactly. Raises MalformedData."""
    if isinstance(coins, bool) or not isinstance(coins, int | Decimal):
        raise MalformedData(f"{name} is not an amount")
    if not 0 <= coins <= COINS_MAX:
        raise MalformedData(f"{name} is out of range")
    units = coins * 10**decimals
    if units != int(units):
        raise MalformedData(f"{name} has more decimals than the coin")
    return int(units)
