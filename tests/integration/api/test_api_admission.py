"""Who is let in: a log-in is read once in some seconds, and its end is obeyed at once wherever it happens."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone

from exchange.accounts.api import admission, authentication, buckets, threads
from exchange.accounts.api.authentication import Credentials, SessionTokenInvalid
from exchange.accounts.models import User
from exchange.accounts.services import customers
from exchange.outbox import valkey as pipes

pytestmark = pytest.mark.django_db(transaction=True)


def log_in(user_id: int) -> Credentials:
    session = SessionStore()
    user = User.objects.get(id=user_id)
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user_id), user.get_session_auth_hash()
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session.create()
    assert session.session_key is not None
    return Credentials(key=session.session_key, by="token")


@pytest.fixture
def user_id(valkey: redis.Redis) -> int:
    return customers.open(email="ann@example.com", password="x" * 20, email_verified=True, now=timezone.now())


@pytest.fixture
def given(user_id: int) -> Credentials:
    return log_in(user_id)


@pytest.fixture
async def reads(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Credentials]]:
    """Every reading of a log-in from the database."""
    seen: list[Credentials] = []
    real = authentication.by_credentials

    def counted(asked: Credentials) -> Any:
        seen.append(asked)
        return real(asked)

    monkeypatch.setattr(authentication, "by_credentials", counted)
    admission.forget()
    yield seen
    pipes.close()


async def test_a_log_in_is_read_once_for_many_requests(
    given: Credentials, user_id: int, reads: list[Credentials]
) -> None:
    for _ in range(20):
        known, spent = await admission.admit(given, "orders", address="1.2.3.4")
        assert known is not None
        assert known.user_id == user_id
    assert len(reads) == 1
    assert [each.bucket.name for each in spent] == ["orders", "address"]
    assert 570 < spent[0].remaining < 600


def log_out(given: Credentials, user_id: int) -> None:
    SessionStore(given.key).flush()


def change_password(given: Credentials, user_id: int) -> None:
    user = User.objects.get(id=user_id)
    user.set_password("y" * 20)
    user.save(update_fields=["password"])


def close_account(given: Credentials, user_id: int) -> None:
    user = User.objects.get(id=user_id)
    user.is_active = False
    user.save()


def end_all_sessions(given: Credentials, user_id: int) -> None:
    Session.objects.all().delete()


@pytest.mark.parametrize("end", [log_out, change_password, close_account, end_all_sessions])
async def test_its_end_is_obeyed_at_once(
    given: Credentials, user_id: int, reads: list[Credentials], end: Callable[[Credentials, int], None]
) -> None:
    assert (await admission.admit(given, "orders"))[0] is not None
    await threads.run(end, given, user_id)
    with pytest.raises(SessionTokenInvalid):
        await admission.admit(given, "orders")


async def test_one_log_out_is_nobody_elses(given: Credentials, user_id: int, reads: list[Credentials]) -> None:
    other = await threads.run(log_in, user_id)
    assert (await admission.admit(given, "orders"))[0] and (await admission.admit(other, "orders"))[0]
    await threads.run(log_out, given, user_id)
    assert (await admission.admit(other, "orders"))[0] is not None
    assert len(reads) == 2


async def test_a_log_in_elsewhere_costs_nobody_a_reading(
    given: Credentials, user_id: int, reads: list[Credentials]
) -> None:
    def note_log_in() -> None:
        user = User.objects.get(id=user_id)
        user.last_login = timezone.now()
        user.save(update_fields=["last_login"])

    await admission.admit(given, "orders")
    await threads.run(note_log_in)
    await admission.admit(given, "orders")
    assert len(reads) == 1


async def test_an_end_that_nobody_told_is_found_out_in_time(
    given: Credentials, reads: list[Credentials], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a process that died between the commit and the mark: the row is gone and no signal was sent."""
    ahead = [0.0]
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + ahead[0])
    monkeypatch.setattr(admission, "time", clock)
    monkeypatch.setattr(admission, "TRUST_S", 600.0)

    def lose() -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_session")

    assert (await admission.admit(given, "orders"))[0] is not None
    await threads.run(lose)
    assert (await admission.admit(given, "orders"))[0] is not None
    ahead[0] = 600.0
    with pytest.raises(SessionTokenInvalid):
        await admission.admit(given, "orders")


async def test_a_mark_made_while_the_log_in_is_read_is_seen(
    given: Credentials, user_id: int, reads: list[Credentials], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = authentication.by_credentials

    def slow(asked: Credentials) -> Any:
        found = real(asked)
        if len(reads) == 1:
            change_password(given, user_id)
        return found

    monkeypatch.setattr(authentication, "by_credentials", slow)
    with pytest.raises(SessionTokenInvalid):
        await admission.admit(given, "orders")


async def test_without_valkey_each_request_reads_the_log_in(
    given: Credentials, user_id: int, reads: list[Credentials], settings: Any
) -> None:
    settings.REDIS_URL = "unix:///tmp/no-such-socket-anywhere.sock"
    for number in range(1, 4):
        known, spent = await admission.admit(given, "orders", address="1.2.3.4")
        assert known is not None
        assert spent == []
        assert len(reads) >= number


async def test_buckets_are_spent_all_or_none(valkey: redis.Redis, settings: Any) -> None:
    settings.API_LIMITS = {"wide": (1000, 60), "narrow": (2, 60)}
    try:
        for _ in range(2):
            await buckets.spend(buckets.bucket("wide", 1), buckets.bucket("narrow", 1))
        for _ in range(50):
            with pytest.raises(buckets.Refused) as refused:
                await buckets.spend(buckets.bucket("wide", 1), buckets.bucket("narrow", 1))
        assert 1 <= refused.value.wait <= 60
        (left,) = await buckets.spend(buckets.bucket("wide", 1))
        assert left.remaining >= 996
        with pytest.raises(buckets.Refused):
            await buckets.spend(buckets.bucket("wide", 2), cost=1001)
    finally:
        pipes.close()
