"""uvicorn's websocket, with one thing added: frames that were made once can be written to many connections.

`uvicorn --ws config.lines:LineProtocol` puts a `Line` into each websocket's scope, as the ASGI extension "bourse.line". To send
one text to five thousand readers through ASGI's `send` means to frame it five thousand times and to wake five thousand tasks;
a line takes the finished frame. It refuses while its reader is slow, so that the application can merge what waits.
What must never happen here: bytes behind a close frame or before the handshake, or a frame kept for a reader who does not read.
"""

from __future__ import annotations

import asyncio
import socket
from typing import cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

EXTENSION = "bourse.line"
# What may stand in the kernel unsent, before a reader counts as slow: beyond it fresh news would wait behind stale ones.
UNSENT_BYTES_MAX = 128 * 1024


class LineProtocol(WebSocketsSansIOProtocol):
    """uvicorn's own protocol. Frames of text that nobody fragments may stand between any two frames of its own."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        handle = transport.get_extra_info("socket")
        if handle is not None and handle.family in (socket.AF_INET, socket.AF_INET6):
            handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES_MAX)

    async def run_asgi(self) -> None:
        self.scope.setdefault("extensions", {})[EXTENSION] = Line(self)  # type: ignore[index, typeddict-item]
        await super().run_asgi()


class Line:
    """The outgoing side of one connection."""

    __slots__ = ("_protocol", "_writable")

    def __init__(self, protocol: LineProtocol) -> None:
        self._protocol = protocol
        self._writable = protocol.writable.is_set

    def write(self, frame: bytes) -> bool:
        """Send a whole, unmasked frame. False, and nothing sent, where the reader is slow or the connection is not open."""
        protocol = self._protocol
        if not self._writable() or not protocol.handshake_complete or protocol.close_sent or protocol.disconnected:
            return False
        transport = protocol.transport
        if transport.is_closing():
            return False
        try:
            transport.write(frame)
        except Exception:
            transport.abort()  # whoever missed one frame may not go on as if nothing was
            return False
        return True

    async def writable(self) -> bool:
        """Wait until the reader has caught up; False where the connection has ended."""
        protocol = self._protocol
        await protocol.writable.wait()
        return not (protocol.close_sent or protocol.disconnected or cast(bool, protocol.transport.is_closing()))
