"""A line writes whole frames between uvicorn's own, and none where it may not. Against uvicorn itself, over a real socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from config.lines import EXTENSION, UNSENT_BYTES_MAX, Line, LineProtocol
from trading.marketdata.mailbox import framed
from trading.marketdata.outgoing import LINE

Work = Callable[[Line, Callable[..., Awaitable[None]], Callable[[], Awaitable[dict[str, Any]]]], Awaitable[None]]


async def served(work: Work, client: Callable[[ClientConnection], Awaitable[Any]], **options: Any) -> Any:
    """Run `work` as the application of one connection, `client` at its other end."""
    failures: list[BaseException] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            return
        try:
            await work(scope["extensions"][EXTENSION], send, receive)
        except BaseException as error:
            failures.append(error)
            raise

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(application, ws=LineProtocol, lifespan="off", log_level="critical")
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            while not server.started:
                await asyncio.sleep(0.01)
            async with connect(f"ws://127.0.0.1:{listening.getsockname()[1]}/", **options) as connection:
                result = await asyncio.wait_for(client(connection), 120)
        finally:
            server.should_exit = True
            await task
    assert failures == []
    return result


async def accepted(send: Any, receive: Any) -> None:
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})


def test_both_sides_call_it_the_same() -> None:
    assert EXTENSION == LINE


@pytest.mark.parametrize("compression", ["deflate", None])
async def test_frames_stand_between_messages_of_asgi(compression: str | None) -> None:
    """Also for a reader whose own messages are compressed: a frame that is not stands for itself."""

    async def work(line: Line, send: Any, receive: Any) -> None:
        assert not line.write(framed(b"too early"))
        await accepted(send, receive)
        for number in range(50):
            assert line.write(framed(f"line {number}".encode()))
            await send({"type": "websocket.send", "text": f"asgi {number}" * 20})
        await receive()

    async def client(connection: ClientConnection) -> list[str]:
        return [str(await connection.recv()) for _ in range(100)]

    seen = await served(work, client, compression=compression)
    assert seen[0::2] == [f"line {number}" for number in range(50)]
    assert seen[1::2] == [f"asgi {number}" * 20 for number in range(50)]


async def test_a_slow_reader_is_not_written_to_until_he_has_caught_up() -> None:
    frame, written = framed(b"x" * 10_000), 0

    async def work(line: Line, send: Any, receive: Any) -> None:
        nonlocal written
        await accepted(send, receive)
        while line.write(frame):
            written += 1
            await asyncio.sleep(0)
        assert written < 5_000  # what the kernels on both sides take, and no more of ours than its bound
        assert await asyncio.wait_for(line.writable(), 120)
        assert line.write(framed(b"caught up"))
        await receive()

    async def client(connection: ClientConnection) -> int:
        await asyncio.sleep(0.5)
        count = 0
        while await connection.recv() != "caught up":
            count += 1
        return count

    assert await served(work, client, compression=None, max_queue=1) == written
    assert UNSENT_BYTES_MAX < 1 << 20


async def test_after_a_close_nothing_is_written() -> None:
    async def work(line: Line, send: Any, receive: Any) -> None:
        await accepted(send, receive)
        await send({"type": "websocket.close", "code": 4401})
        assert not line.write(framed(b"late"))
        assert not await line.writable()

    async def client(connection: ClientConnection) -> int | None:
        with pytest.raises(ConnectionClosed) as closed:
            await connection.recv()
        return closed.value.rcvd.code if closed.value.rcvd else None

    assert await served(work, client) == 4401


async def test_to_a_reader_who_has_gone_nothing_is_written() -> None:
    async def work(line: Line, send: Any, receive: Any) -> None:
        await accepted(send, receive)
        assert (await receive())["type"] == "websocket.disconnect"
        assert not line.write(framed(b"nobody"))
        assert not await line.writable()

    async def client(connection: ClientConnection) -> None:
        await connection.close()
        await asyncio.sleep(0.2)

    await served(work, client)


async def test_a_line_that_fails_ends_its_connection() -> None:
    aborted = []

    class Transport:
        def is_closing(self) -> bool:
            return False

        def write(self, frame: bytes) -> None:
            raise RuntimeError("the handler is closed")

        def abort(self) -> None:
            aborted.append(True)

    class Protocol:
        writable = asyncio.Event()
        handshake_complete, close_sent, disconnected = True, False, False
        transport = Transport()

    Protocol.writable.set()
    assert not Line(Protocol()).write(b"x")  # type: ignore[arg-type]
    assert aborted == [True]
