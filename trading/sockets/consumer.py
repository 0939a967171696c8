"""The Channels consumer at /ws/: hands a connection its messages, one after the other, as they come.

Channels' own loop gives each message a task of its own, and its dispatch a thread's turn in which old database connections are
closed; no message here touches the database on the event loop, so both are left out. What must never happen here: a message
handed on before the one before it was taken, or an end of the line that its connection is not told of.
"""

from __future__ import annotations

from typing import Any

from channels.consumer import AsyncConsumer, get_handler_name
from channels.exceptions import StopConsumer

from trading.sockets.connection import Connection


class Socket(AsyncConsumer):
    """One reader."""

    channel_layer_alias = ""  # no channel layer: the process's one subscription serves all its readers

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.connection = Connection(scope, send)
        try:
            while not self.connection.closed:
                await self.dispatch(await receive())
        except StopConsumer:
            pass
        finally:
            await self.connection.end()

    async def dispatch(self, message: dict[str, Any]) -> None:
        await getattr(self, get_handler_name(message))(message)

    async def websocket_connect(self, message: dict[str, Any]) -> None:
        await self.connection.open()

    async def websocket_receive(self, message: dict[str, Any]) -> None:
        text = message.get("text")
        await self.connection.take(text if text is not None else message.get("bytes") or b"")

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        raise StopConsumer
