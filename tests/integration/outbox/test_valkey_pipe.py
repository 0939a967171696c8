"""One pipelined connection for all of an event loop: nobody gets another's answer, nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import redis
from django.conf import settings

import exchange.outbox.valkey as module
from exchange.outbox.valkey import Away, Listener, Lost, Pipe, Refused, Script

ECHO = Script("return ARGV[1]")


@pytest.fixture
async def pipe(valkey: redis.Redis) -> AsyncIterator[Pipe]:
    yield module.pipe()
    module.close()


async def test_a_thousand_ask_at_once_and_each_gets_its_own(pipe: Pipe) -> None:
    answers = await asyncio.gather(*(pipe.send("ECHO", str(number)) for number in range(1000)))
    assert answers == [str(number).encode() for number in range(1000)]


async def test_an_error_is_its_askers_alone(pipe: Pipe) -> None:
    wrong, right = pipe.send("NO-SUCH-COMMAND"), pipe.send("ECHO", "x")
    assert await right == b"x"
    with pytest.raises(Refused):
        await wrong


async def test_a_connection_cut_under_a_question_says_that_it_may_have_been_done(
    pipe: Pipe, valkey: redis.Redis
) -> None:
    assert await pipe.send("ECHO", "x") == b"x"
    blocked = pipe.send("BLPOP", "nothing-comes", 300)
    while not valkey.info("clients")["blocked_clients"]:
        await asyncio.sleep(0.01)
    valkey.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    with pytest.raises(Lost):
        await blocked
    assert await pipe.send("ECHO", "again") == b"again"


async def test_a_server_that_says_nothing_is_given_up(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await pipe.send("ECHO", "x") == b"x"
    monkeypatch.setattr(module, "ANSWER_S", 0.2)
    with pytest.raises(Lost):
        await asyncio.wait_for(pipe.send("BLPOP", "nothing-comes", 300), 60)


async def test_nobody_there_is_said_at_once_and_nothing_was_sent(
    valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = Pipe("unix:///tmp/no-such-socket-anywhere.sock")
    with pytest.raises(Away):
        await asyncio.wait_for(pipe.send("ECHO", "x"), 60)
    pipe.close()


async def test_scripts_that_were_flushed_are_known_again(pipe: Pipe, valkey: redis.Redis) -> None:
    assert await pipe.evaluate(ECHO, (), ("one",)) == b"one"
    valkey.script_flush()
    with pytest.raises(Refused, match="NOSCRIPT"):
        await pipe.evaluate(ECHO, (), ("two",))
    assert await pipe.evaluate(ECHO, (), ("three",)) == b"three"


async def test_a_listener_hears_and_stands_up_again(valkey: redis.Redis) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    standing: asyncio.Queue[bool] = asyncio.Queue()
    listener = Listener(
        settings.REDIS_URL, "a-channel", heard=heard.put_nowait, standing=standing.put_nowait, again_s=0.05
    )
    try:
        assert await asyncio.wait_for(standing.get(), 60)
        valkey.publish("a-channel", b"one")
        assert await asyncio.wait_for(heard.get(), 60) == b"one"
        valkey.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        assert await asyncio.wait_for(standing.get(), 60) is False
        assert await asyncio.wait_for(standing.get(), 60)
        valkey.publish("a-channel", b"two")
        assert await asyncio.wait_for(heard.get(), 60) == b"two"
    finally:
        listener.close()
