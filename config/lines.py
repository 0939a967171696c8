"""uvicorn's websocket, with two things added: frames that were made once can be written to many connections, and a plain text
that arrives can be taken at once.

`uvicorn --ws config.lines:LineProtocol` puts a `Line` into each websocket's scope, as the ASGI extension "bourse.line". To send
one text to five thousand readers through ASGI's `send` means to frame it five thousand times and to wake five thousand tasks;
a line takes the finished frame. It refuses while its reader is slow, so that the application can merge what waits. The other
way round, `Line.taker` is offered each plain text before it goes through ASGI's queue, one message and one wake-up at a time.
What must never happen here: bytes behind a close frame or before the handshake, or a frame kept for a reader who does not read.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from config.frames import Frames

EXTENSION = "bourse.line"
# What may stand in the kernel unsent, before a reader counts as slow: beyond it fresh news would wait behind stale ones.
UNSENT_BYTES_MAX = 128 * 1024


class LineProtocol(WebSocketsSansIOProtocol):
    """uvicorn's own protocol. Frames of text that nobody fragments may stand between any two frames of its own."""

    _line: Line | None = None
    _fragmented = False  # a message has begun that is not whole yet

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._frames = Frames(bytes_max=self.config.ws_max_size)
        handle = transport.get_extra_info("socket")
        if handle is not None and handle.family in (socket.AF_INET, socket.AF_INET6):
            handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES_MAX)

    async def run_asgi(self) -> None:
        self._line = self.scope.setdefault("extensions", {})[EXTENSION] = Line(self)  # type: ignore[index, typeddict-item]
        await super().run_asgi()

    def data_received(self, data: bytes) -> None:
        frames = self._frames
        if not self.handshake_complete:
            # The handshake alone, so far; whoever sends more before its answer gets the protocol for all he sends.
            frames.passing = frames.passing or self.handshake_initiated or not data.endswith(b"\r\n\r\n")
            super().data_received(data)
            return
        if frames.passing:
            super().data_received(data)
            return
        for text, other in frames.cut(data):
            if text is None or self.close_sent or self.disconnected:
                self._other(text, other)
            elif self._fragmented or self._line is None or not self._line.offer(text, waiting=not self.queue.empty()):
                self.curr_msg_data_type, self.frames = "text", [text]
                self.send_receive_event_to_app()

    def _other(self, text: bytes | None, frame: bytes) -> None:
        """What is not plain: fragments, bytes, pings, a close. A text after the close is nobody's."""
        if text is not None:
            return
        if frame[0] & 0x0F < 0x8:  # data: a message is whole with the frame that has the FIN bit
            self._fragmented = not frame[0] & 0x80
        super().data_received(frame)


class Line:
    """The way to one connection, past ASGI. `taker` may take a text at once, or return False: then it comes by ASGI."""

    __slots__ = ("_protocol", "_writable", "taker")

    def __init__(self, protocol: LineProtocol) -> None:
        self._protocol = protocol
        self._writable = protocol.writable.is_set
        self.taker: Callable[[bytes], bool] | None = None

    def offer(self, text: bytes, *, waiting: bool) -> bool:
        """Nothing overtakes what waits in ASGI's queue."""
        return not waiting and self.taker is not None and self.taker(text)

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
