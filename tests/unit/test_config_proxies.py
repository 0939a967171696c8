"""Whose address a request has: the peer's, or what a proxy of our own wrote, and never what its bearer wrote."""

from __future__ import annotations

from typing import Any

import pytest

from config.proxies import TrustedProxies


async def seen(client: tuple[str, int] | None, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        found.update(scope)

    scope = {"type": "http", "client": client, "headers": [(b"host", b"x"), *headers]}
    await TrustedProxies(application)(scope, None, None)
    return found


FORWARDED = b"x-forwarded-for"


@pytest.mark.parametrize(
    ("proxies", "sent", "address"),
    [
        (0, [b"203.0.113.7"], "127.0.0.1"),
        (0, [b"203.0.113.7, 127.0.0.1"], "127.0.0.1"),
        (1, [b"203.0.113.7"], "203.0.113.7"),
        (1, [b"1.1.1.1, 203.0.113.7"], "203.0.113.7"),
        (1, [b"1.1.1.1", b"203.0.113.7"], "203.0.113.7"),
        (2, [b"1.1.1.1, 203.0.113.7, 10.0.0.1"], "203.0.113.7"),
        (2, [b"203.0.113.7"], "127.0.0.1"),  # too few entries: it did not come through all of them
    ],
)
async def test_only_what_our_proxies_wrote_is_believed(
    settings: Any, proxies: int, sent: list[bytes], address: str
) -> None:
    settings.TRUSTED_PROXY_COUNT = proxies
    scope = await seen(("127.0.0.1", 5000), *((FORWARDED, value) for value in sent))
    assert scope["client"] == (address, 5000)
    assert scope["headers"] == [(b"host", b"x")]


async def test_a_unix_socket_has_no_address(settings: Any) -> None:
    settings.TRUSTED_PROXY_COUNT = 0
    assert (await seen(None, (FORWARDED, b"203.0.113.7")))["client"] is None
    settings.TRUSTED_PROXY_COUNT = 1
    assert (await seen(None, (FORWARDED, b"203.0.113.7")))["client"] == ("203.0.113.7", 0)


async def test_no_other_spelling_gets_through(settings: Any) -> None:
    settings.TRUSTED_PROXY_COUNT = 0
    others = ((b"forwarded", b"for=1.1.1.1"), (b"x-real-ip", b"1.1.1.1"), (b"x_forwarded_for", b"1.1.1.1"))
    scope = await seen(("127.0.0.1", 1), *others)
    assert (scope["client"], scope["headers"]) == (("127.0.0.1", 1), [(b"host", b"x")])
