"""The order path as plain async views: log-in, limits, idempotency and the error shape without REST framework's weight.

One thread hop reads the session; everything else stays on the event loop. What must never happen here: a rule that the REST
framework views do not have as well (the tests run both against the same cases).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import orjson
import structlog
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from exchange.accounts.api import authentication, threads
from exchange.accounts.api.serializers import FieldUnknown
from exchange.site.api import errors, idempotency, limits, problems
from trading.api import placing
from trading.api.views import OrderByClientIdView, OrdersView, OrderView

log = structlog.get_logger(__name__)
_list_orders = threads.threaded(OrdersView.as_view())
_one_order = threads.threaded(OrderView.as_view())
_one_by_client_id = threads.threaded(OrderByClientIdView.as_view())


@csrf_exempt
async def orders(request: HttpRequest) -> HttpResponse:
    """POST places an order here; the list is REST framework's."""
    if request.method != "POST":
        return await _list_orders(request)
    return await _shaped(_place, request)


@csrf_exempt
async def order(request: HttpRequest, order_id: int) -> HttpResponse:
    """DELETE cancels here; the rest is REST framework's."""
    if request.method != "DELETE":
        return await _one_order(request, order_id=order_id)
    return await _shaped(partial(_cancel, order_id=order_id), request)


@csrf_exempt
async def order_by_client_id(request: HttpRequest, client_order_id: str) -> HttpResponse:
    """The same by the client's own id."""
    if request.method != "DELETE":
        return await _one_by_client_id(request, client_order_id=client_order_id)
    return await _shaped(partial(_cancel, client_order_id=client_order_id), request)


async def _shaped(work: Callable[[HttpRequest], Awaitable[HttpResponse]], request: HttpRequest) -> HttpResponse:
    try:
        return await work(request)
    except Exception as error:
        known = errors.translated(error)
        if known is None:
            raise
        return errors.response(known)


async def _place(request: HttpRequest) -> HttpResponse:
    _no_parameters(request)
    key = idempotency.key_of(request, required=False)
    identity, taken = await threads.run(_enter, request, key)
    if taken is not None and taken.replay is not None:
        return taken.replay
    try:
        await limits.aspend(request, "customer", "orders", who=identity.user_id)
        response = await _answered(request, identity.user_id, key)
    except BaseException:
        if taken is not None:
            # A client that hangs up cancels this task; the key must be given back all the same.
            await asyncio.shield(threads.run(idempotency.release, taken))
        raise
    if taken is not None:
        await threads.run(idempotency.settle, taken, response)
    return response


async def _answered(request: HttpRequest, user_id: int, key: str | None) -> HttpResponse:
    """The answer to keep: an order, or the refusal that the same order will always meet."""
    own_id = idempotency.client_order_id(key) if key is not None else None
    try:
        status, shape = await placing.place(
            user_id=user_id, body=_json(request), client_order_id=own_id, now=timezone.now()
        )
    except Exception as error:
        known = errors.translated(error)
        if known is None:
            raise
        return errors.response(known)
    return _response(status, shape)


async def _cancel(request: HttpRequest, **which: Any) -> HttpResponse:
    _no_parameters(request)
    identity, _ = await threads.run(_enter, request, None)
    await limits.aspend(request, "customer", who=identity.user_id)
    return _response(200, await placing.cancel(user_id=identity.user_id, now=timezone.now(), **which))


def _enter(request: HttpRequest, key: str | None) -> tuple[authentication.Identity, idempotency.Claim | None]:
    """Everything that needs the database, in one hop: who is there, and is the key free."""
    identity = authentication.require(request)
    if key is None:
        return identity, None
    return identity, idempotency.claim(user_id=identity.user_id, key=key, request=request, now=timezone.now())


def _json(request: HttpRequest) -> Any:
    if request.content_type != errors.JSON:
        raise problems.of_status(415)
    try:
        return orjson.loads(request.body)
    except orjson.JSONDecodeError:
        raise problems.MalformedJson("The body is not valid JSON.") from None


def _no_parameters(request: HttpRequest) -> None:
    for name in request.GET:
        raise FieldUnknown(f"There is no query parameter {name[:50]!r} here.", param=name[:50])


def _response(status: int, shape: dict[str, Any]) -> HttpResponse:
    return HttpResponse(orjson.dumps(shape), status=status, content_type=errors.JSON)
