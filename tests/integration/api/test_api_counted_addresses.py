"""Who shares an address's limit, and that strangers who knock at the websocket are counted before the database is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import redis

from exchange.accounts.api import addresses, admission, authentication, buckets
from exchange.outbox import valkey as pipes
from trading.sockets import connection
from trading.sockets.connection import Connection

HOME = "2001:db8:7:1:"


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        (f"{HOME}:1", f"{HOME}:"),
        (f"{HOME}ffff:ffff:ffff:ffff", f"{HOME}:"),
        ("2001:DB8:0007:0001:0:0:0:9", f"{HOME}:"),
        ("2001:db8:7:2::1", "2001:db8:7:2::"),
        ("fe80::1%anything", "fe80::"),
        ("::1", "::"),
        (addresses.LOCAL, addresses.LOCAL),
        ("unknown", "unknown"),
    ],
)
def test_an_ipv6_network_counts_as_one(address: str, counted: str) -> None:
    assert addresses.counted(address) == counted


@pytest.fixture(autouse=True)
async def fresh(valkey: redis.Redis) -> AsyncIterator[None]:
    admission.forget()
    yield
    pipes.close()


async def test_whoever_has_a_network_has_one_bucket(settings: Any) -> None:
    settings.API_LIMITS = {**settings.API_LIMITS, "address": (3, 3600), "customer": (3, 3600)}
    for number in range(3):
        await buckets.spend(buckets.bucket("address", f"{HOME}:{number}"))
    with pytest.raises(buckets.Refused):
        await buckets.spend(buckets.bucket("address", f"{HOME}dead:beef:1:2"))
    await buckets.spend(buckets.bucket("address", "2001:db8:7:2::1"))
    assert buckets.bucket("customer", 7).key == "limit:customer:7"


class Socket:
    """A connection, and what its reader got."""

    def __init__(self, address: str, *headers: tuple[bytes, bytes]) -> None:
        self.got: list[dict[str, Any]] = []
        scope = {
            "type": "websocket",
            "path": "/ws/",
            "raw_path": b"/ws/",
            "query_string": b"",
            "headers": list(headers),
        }
        self.connection = Connection({**scope, "client": (address, 5000)}, self._send)

    async def _send(self, message: dict[str, Any]) -> None:
        self.got.append(message)

    async def __aenter__(self) -> Socket:
        await self.connection.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.connection.end()

    @property
    def code(self) -> int | None:
        """With which it was closed."""
        return next((message["code"] for message in self.got if message["type"] == "websocket.close"), None)


async def test_sockets_of_a_network_are_bounded_together(settings: Any) -> None:
    settings.WEBSOCKET_LIMITS = {**settings.WEBSOCKET_LIMITS, "per_address": 2}
    async with Socket(f"{HOME}:1") as first, Socket(f"{HOME}:2") as second, Socket(f"{HOME}:3") as third:
        assert (first.code, second.code, third.code) == (None, None, 4429)
        async with Socket("2001:db8:7:2::1") as neighbour:
            assert neighbour.code is None
    assert not connection._open


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[authentication.Credentials]:
    """What the database was asked for: it knows nobody."""
    asked: list[authentication.Credentials] = []

    async def read(given: authentication.Credentials) -> None:
        asked.append(given)
        raise authentication.SessionTokenInvalid("This log-in has ended.")

    monkeypatch.setattr(admission, "read", read)
    return asked


async def test_strangers_at_the_handshake_are_counted(settings: Any, reads: list[authentication.Credentials]) -> None:
    settings.API_LIMITS = {**settings.API_LIMITS, "address": (3, 3600)}
    codes = []
    for number in range(6):
        async with Socket(f"{HOME}:{number}", (b"x-session-token", b"guess%d" % number)) as reader:
            codes.append(reader.code)
    assert codes == [4401] * 3 + [4429] * 3
    assert len(reads) == 3


async def test_strangers_who_log_in_by_message_are_counted(
    settings: Any, reads: list[authentication.Credentials]
) -> None:
    settings.API_LIMITS = {**settings.API_LIMITS, "address": (5, 3600)}
    codes = []
    for _ in range(4):
        async with Socket("203.0.113.7") as reader:
            for _ in range(3):
                await reader.connection.take(orjson.dumps({"op": "login", "session_token": "guess"}))
            codes.append(reader.code)
    assert len(reads) == 5
    assert codes == [4401, None, None, None]  # three were refused as strangers; the others were told to wait
