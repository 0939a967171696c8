"""Who is on the other end, decided once at the door for everybody behind it: limits, lock-outs, key allow-lists, the audit.

Only the last TRUSTED_PROXY_COUNT entries of X-Forwarded-For were written by proxies of our own; what stands before them is
anybody's word. The header goes no further than here, so that nothing behind can believe it once more, in another way (the
server's own reading of it is off: `uvicorn --no-proxy-headers`).
What must never happen here: an address that its bearer chose.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from exchange.accounts.api import addresses

_FORWARDED = frozenset({b"x-forwarded-for", b"x_forwarded_for", b"forwarded", b"x-real-ip"})
Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


class TrustedProxies:
    """An ASGI application around another."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] in ("http", "websocket") and any(name in _FORWARDED for name, _ in scope["headers"]):
            peer = scope.get("client")
            address = addresses.of_scope(scope)
            client = (address, peer[1] if peer else 0) if address != addresses.LOCAL else None
            headers = [(name, value) for name, value in scope["headers"] if name not in _FORWARDED]
            scope = {**scope, "client": client, "headers": headers}
        await self.application(scope, receive, send)
