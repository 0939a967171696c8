"""A POST that moves money, sent twice, moves it once: one key, one answer.

The key is written before anything is done and its answer after; between the two it is "in progress". A process that dies in
between leaves the key so; a retry takes it over as soon as the connection that took it is gone from the database, or after
TAKEN_OVER_S where that cannot be seen (a pooler keeps it, a machine lost its power). That is safe, even too early, because the
services beneath know the key too (withdrawals by the key itself, orders by a client order id made from it) and give their first
result again.
What must never happen here: a second effect under one key, another customer's answer, an answer kept of a request that was
refused before it was looked at (no log-in, a limit) or whose outcome is not known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

import orjson
from django.db import IntegrityError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from exchange.accounts.api import authentication
from exchange.core import errors as core
from exchange.site.api import errors
from exchange.site.models import IdempotencyKey

HEADER = "Idempotency-Key"
KEY_LENGTH_MAX = 200
TAKEN_OVER_S = 60
KEPT = timedelta(hours=24)
CLOCKS_DIFFER = timedelta(seconds=2)
FORGOTTEN_AT_ONCE = 1000
_NOT_KEPT = frozenset({401, 403, 413, 429})  # refused at the door: nothing was looked at


class IdempotencyKeyMissing(core.InvalidRequest):
    """This POST moves money and has no key."""

    code = "idempotency_key_missing"


class IdempotencyKeyInvalid(core.InvalidRequest):
    """Not 1 to 200 printable ASCII characters."""

    code = "idempotency_key_invalid"


class IdempotencyMismatch(core.Conflict):
    """The key was used for another request."""

    code = "idempotency_mismatch"


class IdempotencyInProgress(core.Conflict):
    """The first request with this key is still being worked on."""

    code = "idempotency_in_progress"


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that is ours to answer, or one that has its answer already."""

    row_id: int
    replay: HttpResponse | None = None


def key_of(request: HttpRequest, *, required: bool) -> str | None:
    """The request's key. Raises IdempotencyKeyMissing, IdempotencyKeyInvalid."""
    key = request.headers.get(HEADER)
    if key is None:
        if required:
            raise IdempotencyKeyMissing(
                f"Send the header {HEADER}: a text of your own, new for each payment.", param=HEADER
            )
        return None
    if not (1 <= len(key) <= KEY_LENGTH_MAX and key.isascii() and key.isprintable()):
        raise IdempotencyKeyInvalid(f"{HEADER} has 1 to {KEY_LENGTH_MAX} printable ASCII characters.", param=HEADER)
    return key


def client_order_id(key: str) -> str:
    """The order id that a key stands for where the customer gave none: the engine takes it once."""
    return "ik-" + hashlib.sha256(key.encode()).hexdigest()[:32]


def claim(*, user_id: int, key: str, request: HttpRequest, now: datetime) -> Claim:
    """Take the key, or find its answer. Raises IdempotencyMismatch, IdempotencyInProgress."""
    digest = _digest(request)
    try:
        with transaction.atomic():
            row = IdempotencyKey.objects.create(
                user_id=user_id, key=key, digest=digest, started_at=now, backend=_backend()
            )
        return Claim(row.pk)
    except IntegrityError:
        row = IdempotencyKey.objects.filter(user_id=user_id, key=key).first()
    if row is None:  # released in this very moment
        raise IdempotencyInProgress(
            "The first request with this key has just ended. Please send it again.", param=HEADER
        )
    if row.digest != digest:
        raise IdempotencyMismatch("This key was used for another request. Take a new key for a new one.", param=HEADER)
    if row.status is not None:
        replay = HttpResponse(row.answer, status=row.status, content_type=errors.JSON)
        replay["Idempotent-Replayed"] = "true"
        return Claim(row.pk, replay)
    stuck = now - row.started_at > timedelta(seconds=TAKEN_OVER_S) or _gone(row)
    same = IdempotencyKey.objects.filter(pk=row.pk, status=None, started_at=row.started_at, backend=row.backend)
    taken = stuck and same.update(started_at=now, backend=_backend())
    if not taken:
        raise IdempotencyInProgress("The first request with this key is still being worked on.", param=HEADER)
    return Claim(row.pk)


def settle(taken: Claim, response: HttpResponse) -> None:
    """Keep the answer, or release the key when the answer is none: a retry then tries again."""
    row = IdempotencyKey.objects.filter(pk=taken.row_id)
    if response.status_code >= 500 or response.status_code in _NOT_KEPT:
        row.delete()
    else:
        row.update(status=response.status_code, answer=response.content.decode())


def release(taken: Claim) -> None:
    """The request came to no answer at all."""
    IdempotencyKey.objects.filter(pk=taken.row_id).delete()


def forget(*, now: datetime) -> int:
    """Delete keys older than KEPT, a bounded number at a time; how many."""
    total = 0
    while True:
        old = list(
            IdempotencyKey.objects.filter(started_at__lt=now - KEPT).values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE]
        )
        total += IdempotencyKey.objects.filter(pk__in=old).delete()[0]
        if len(old) < FORGOTTEN_AT_ONCE:
            return total


def once(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A REST view whose POST needs a key."""

    @csrf_exempt
    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        try:
            identity = authentication.require(request)
            key = key_of(request, required=True)
            assert key is not None
            taken = claim(user_id=identity.user_id, key=key, request=request, now=timezone.now())
        except core.DomainError as error:
            return errors.response(error)
        if taken.replay is not None:
            return taken.replay
        try:
            response = view(request, *args, **kwargs)
            response.render() if hasattr(response, "render") else None
        except BaseException:
            release(taken)
            raise
        settle(taken, response)
        return response

    return answered


def _backend() -> int:
    """PostgreSQL's process at the other end of this thread's connection."""
    connection.ensure_connection()
    return int(connection.connection.get_backend_pid())


def _gone(row: IdempotencyKey) -> bool:
    """Whether the connection that took the key has ended; its number may be another's by now."""
    if row.backend is None:
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND backend_start <= %s",
            [row.backend, row.started_at + CLOCKS_DIFFER],
        )
        return cursor.fetchone() == (0,)


def _digest(request: HttpRequest) -> str:
    """The same for bodies that mean the same: spaces and the order of fields do not count."""
    try:
        body = orjson.dumps(orjson.loads(request.body), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError:
        body = request.body
    return hashlib.sha256(b"\n".join([str(request.method).encode(), request.path.encode(), body])).hexdigest()
