"""Headers that every answer has, whoever made it: a page, the API, a static file, a refusal before any of them.

The outermost of our ASGI applications. What a view has said for itself stays. What must never happen here: an answer that a
browser may keep, but for static files; or an answer of the API's that a browser would run or frame.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]
# What a browser offers to pages; ours use passkeys and nothing else of it.
PERMISSIONS = (
    "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), fullscreen=(self), geolocation=(),"
    " gyroscope=(), hid=(), magnetometer=(), microphone=(), midi=(), payment=(), picture-in-picture=(), serial=(), usb=(),"
    " xr-spatial-tracking=(), publickey-credentials-get=(self), publickey-credentials-create=(self)"
)
# For what is no page: nothing is loaded, nothing is run, nobody frames it.
NO_PAGE = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox"
BARE = (b"text/plain", b"text/html", b"text/css", b"text/javascript")
# What anybody here answers; the others are refused at the door, but for the API's addresses, each of which says in its own form
# what it takes instead.
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
ALLOW = (b"allow", ", ".join(sorted(METHODS)).encode())
UTF8 = b"; charset=utf-8"


class Headers:
    """An ASGI application around all the others."""

    def __init__(self, application: Application) -> None:
        self.application = application
        wanted = {
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": PERMISSIONS,
            "x-frame-options": "DENY",
            "cache-control": "no-store",
            "content-security-policy": NO_PAGE,
        }
        if settings.SECURE_HSTS_SECONDS:
            wanted["strict-transport-security"] = f"max-age={settings.SECURE_HSTS_SECONDS}; includeSubDomains; preload"
        self.wanted = [(name.encode(), value.encode()) for name, value in wanted.items()]

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return

        async def complete(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                named = {bytes(name).lower(): value for name, value in given}
                if named.get(b"content-type") in BARE:
                    given = [(name, value + UTF8 if value in BARE else value) for name, value in given]
                message = {**message, "headers": given + [pair for pair in self.wanted if pair[0] not in named]}
            await send(message)

        if scope["method"] in METHODS or scope["path"].startswith("/api/"):
            await self.application(scope, receive, complete)
            return
        await complete({"type": "http.response.start", "status": 405, "headers": [(b"content-length", b"0"), ALLOW]})
        await send({"type": "http.response.body", "body": b""})
