"""What was signed is remembered in Valkey: what happens when it was emptied a moment ago, or is away."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis
from django.utils import timezone

from exchange.accounts.api import admission, buckets, signing, threads
from exchange.accounts.api.authentication import Credentials
from exchange.accounts.api.signing import Signed
from exchange.accounts.keys import services
from exchange.accounts.services import customers
from exchange.outbox import valkey as pipes
from tests.integration.api.bots import Bot

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def program(valkey: redis.Redis) -> Bot:
    user_id = customers.open(email="ann@example.com", password="x" * 20, email_verified=True, now=timezone.now())
    made = services.create(user_id=user_id, label="Bot", kind="hmac", trade=True, now=timezone.now())
    assert made.secret is not None
    return Bot("", user_id, made.key.key_id, bytes.fromhex(made.secret))


@pytest.fixture(autouse=True)
async def fresh() -> AsyncIterator[None]:
    admission.forget()
    yield
    pipes.close()


def signed(program: Bot, *, at_us: int | None = None) -> Signed:
    told = program.headers("POST", "/api/v1/orders", b"{}", at_us=at_us, window=60_000)
    names = ("X-Bourse-Key", "X-Bourse-Timestamp", "X-Bourse-Signature", "X-Bourse-Window")
    return signing.of_parts(*map(told.get, names), method="POST", path=b"/api/v1/orders", query=b"", body=b"{}")


async def admit(program: Bot, given: Signed, *, write: bool = True) -> Any:
    return await admission.admit(
        Credentials(program.key_id, "key"), "orders", address="1.2.3.4", signed=given, write=write
    )


async def test_a_memory_that_has_just_begun_takes_no_write_that_it_might_have_seen(
    program: Bot, valkey: redis.Redis
) -> None:
    """Somebody empties Valkey and sends a caught order once more."""
    valkey.set(buckets.SEEN_SINCE, 0)
    caught = signed(program)
    assert (await admit(program, caught))[0] is not None
    valkey.flushdb()
    with pytest.raises(admission.ReplayGuardUnavailable) as refusal:
        await admit(program, caught)
    assert refusal.value.status == 503
    assert refusal.value.wait == 2
    ahead = buckets.DOUBTED_MS * 1_000
    since = int(valkey.get(buckets.SEEN_SINCE) or 0)
    valkey.set(buckets.SEEN_SINCE, since - buckets.DOUBTED_MS - 1)  # two seconds later
    again = signed(program, at_us=max(time.time_ns() // 1_000, since * 1_000 - ahead + 2_000))
    assert (await admit(program, again))[0] is not None


async def test_a_server_that_came_back_without_its_last_second_takes_no_write_that_it_might_have_seen(
    program: Bot, valkey: redis.Redis
) -> None:
    """Valkey dies and comes back from its disk, or a copy takes its place: all is there but what was signed last."""
    valkey.set(buckets.SEEN_SINCE, 0)
    caught = signed(program)
    assert (await admit(program, caught))[0] is not None
    assert (valkey.get(buckets.SEEN_BY) or b"").decode() == valkey.info("server")["run_id"]
    valkey.delete(f"signed:{caught.digest.hex()}")
    valkey.set(buckets.SEEN_BY, "0123456789abcdef0123456789abcdef01234567")  # who wrote this memory is no more
    pipes.close()
    with pytest.raises(admission.ReplayGuardUnavailable):
        await admit(program, caught)
    assert (valkey.get(buckets.SEEN_BY) or b"").decode() == valkey.info("server")["run_id"]


async def test_a_new_connection_to_the_same_server_begins_nothing_anew(program: Bot, valkey: redis.Redis) -> None:
    for _ in range(3):
        valkey.set(buckets.SEEN_SINCE, 0)
        assert (await admit(program, signed(program)))[0] is not None
        assert valkey.get(buckets.SEEN_SINCE) == b"0"
        pipes.close()


async def test_a_server_that_does_not_say_which_it_is_counts_as_another(valkey: redis.Redis) -> None:
    silent = buckets.SAME_SERVER.replace("'INFO', 'server'", "'INFO-THAT-IS-REFUSED'")
    assert [valkey.eval(silent, 2, buckets.SEEN_BY, buckets.SEEN_SINCE, at) for at in (1, 2, 3)] == [0, 1, 1]
    assert valkey.get(buckets.SEEN_SINCE) == b"3"


async def test_a_read_goes_through_meanwhile_and_still_once(program: Bot, valkey: redis.Redis) -> None:
    given = signed(program)
    assert (await admit(program, given, write=False))[0] is not None
    with pytest.raises(admission.SignatureReplayed):
        await admit(program, given, write=False)


async def test_without_valkey_reads_go_through_and_writes_say_why_not(program: Bot, settings: Any) -> None:
    settings.REDIS_URL = "unix:///tmp/no-such-socket-anywhere.sock"
    with pytest.raises(admission.ReplayGuardUnavailable):
        await admit(program, signed(program))
    known, spent = await admit(program, signed(program), write=False)
    assert known is not None
    assert spent == []
    forged = Bot("", program.user_id, program.key_id, bytes(32))
    with pytest.raises(signing.KeyInvalid):
        await admit(forged, signed(forged), write=False)


async def test_a_refused_request_is_not_remembered(program: Bot, valkey: redis.Redis, settings: Any) -> None:
    settings.API_LIMITS = {**settings.API_LIMITS, "key_orders": (1, 3600)}
    valkey.set(buckets.SEEN_SINCE, 0)
    await admit(program, signed(program))
    late = signed(program)
    with pytest.raises(buckets.Refused) as refusal:
        await admit(program, late)
    assert {each.bucket.name for each in refusal.value.all_spent} == {"orders", "key_orders", "address"}
    settings.API_LIMITS = {**settings.API_LIMITS, "key_orders": (1000, 1)}
    valkey.delete(f"limit:key_orders:{program.key_id}")
    assert (await admit(program, late))[0] is not None


async def test_what_is_remembered_outlives_its_window(program: Bot, valkey: redis.Redis) -> None:
    given = signed(program)
    await admit(program, given, write=False)
    kept_ms = valkey.pttl(f"signed:{given.digest.hex()}")
    assert 60_000 < kept_ms <= 60_000 + buckets.SEEN_LONGER_MS + 1_000
    assert valkey.ttl(buckets.SEEN_SINCE) == -1


async def test_a_signed_request_is_one_round_trip(program: Bot, valkey: redis.Redis) -> None:
    valkey.set(buckets.SEEN_SINCE, 0)
    await admit(program, signed(program))
    asked: list[str] = []
    real = pipes.pipe().send_for
    pipes.pipe().send_for = lambda receiver, *parts: (asked.append(str(parts[0])), real(receiver, *parts))[1]  # type: ignore[method-assign]
    await admit(program, signed(program))
    assert asked == ["EVALSHA"]


async def test_the_key_is_read_once_for_many_requests(
    program: Bot, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Credentials] = []
    real = admission._known
    monkeypatch.setattr(admission, "_known", lambda given: (reads.append(given), real(given))[1])
    valkey.set(buckets.SEEN_SINCE, 0)
    for _ in range(10):
        await admit(program, signed(program))
    assert len(reads) == 1

    def revoke() -> None:
        services.revoke(user_id=program.user_id, key_id=program.key_id, now=timezone.now())

    await threads.run(revoke)
    with pytest.raises(signing.KeyInvalid):
        await admit(program, signed(program))
