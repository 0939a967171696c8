"""The largest body a request may have, counted while it arrives.

Django's ASGI handler stores a whole body before anything of ours runs, and looks only at the declared length; a body sent in
chunks declares none. What must never happen here: a stranger's body that fills our disk.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from exchange.core import errors as core
from exchange.site.api.problems import BodyTooLarge

API_BYTES_MAX = 64 * 1024
PAGE_BYTES_MAX = 2 * 1024 * 1024  # a form; Django keeps bodies of this size in memory
STAFF_BYTES_MAX = 10 * 1024 * 1024  # files of cold wallets
# A picture for a verification, and the form around it; and what an outside service may call us with.
PICTURE_BYTES_MAX = 10 * 1024 * 1024 + 64 * 1024
HOOK_BYTES_MAX = 64 * 1024
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class _TooLarge(Exception):
    """Passes through Django's handler, which is still reading the body when it is raised."""


class BodyLimit:
    """An ASGI application around another."""

    def __init__(self, application: Callable[[dict[str, Any], Receive, Send], Awaitable[None]]) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        most = most_of(scope["path"])
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if declared.isdigit() and int(declared) > most:
            await _refuse(send, most)
            return
        seen = 0

        async def counted() -> dict[str, Any]:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > most:
                raise _TooLarge
            return message

        try:
            await self.application(scope, counted, send)
        except _TooLarge:
            await _refuse(send, most)


def most_of(path: str) -> int:
    """The largest body that an address takes."""
    if path.startswith("/api/v1/kyc/applications/") and path.endswith("/pictures"):
        return PICTURE_BYTES_MAX
    if path.startswith("/account/verification/"):
        return PICTURE_BYTES_MAX
    if path.startswith("/hooks/"):
        return HOOK_BYTES_MAX
    if path.startswith("/admin/"):
        return STAFF_BYTES_MAX
    return API_BYTES_MAX if path.startswith("/api/") else PAGE_BYTES_MAX


async def _refuse(send: Send, most: int) -> None:
    body = orjson.dumps(core.body(BodyTooLarge(f"A body has at most {most} bytes here.")))
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
