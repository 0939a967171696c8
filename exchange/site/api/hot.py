"""The order path as plain async views: log-in, limits, idempotency and the error shape without REST framework's weight.

Nothing here leaves the event loop, but for a log-in that was not seen for some seconds and for idempotency keys. One round trip
to Valkey admits the request, another brings the command to the engine. What must never happen here: a rule that the REST
framework views do not have as well (the tests run both against the same cases).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from exchange.accounts import freedoms
from exchange.accounts.api import addresses, admission, authentication, buckets, signing, threads
from exchange.accounts.api.authentication import Credentials
from exchange.accounts.api.serializers import FieldUnknown
from exchange.core.errors import NotAuthenticated
from exchange.site.api import errors, idempotency, limits, problems
from trading.api import commands, forms
from trading.api.views import OrderByClientIdView, OrdersView, OrderView

BATCH_COST_MAX = forms.BATCH_MAX
View = Callable[..., Awaitable[HttpResponse]]
Answer = tuple[int, dict[str, Any]]
_list_orders = threads.threaded(OrdersView.as_view())
_one_order = threads.threaded(OrderView.as_view())
_one_by_client_id = threads.threaded(OrderByClientIdView.as_view())


def _hot(*methods: str, others: tuple[str, ...] = ()) -> Callable[[View], View]:
    """A view whose `methods` count their requests by themselves, in `_enter`; the `others` it hands on."""
    return partial(_shaped, methods=methods, allowed=(*others, *methods))


def _shaped(view: View, *, methods: tuple[str, ...], allowed: tuple[str, ...]) -> View:
    """Errors in the one shape. The CSRF check is made where a cookie counts (`_enter`), not by the pages' middleware."""

    async def shaped(request: HttpRequest, **which: Any) -> HttpResponse:
        if request.method not in allowed:
            refusal = errors.response(problems.of_status(405))
            refusal["Allow"] = ", ".join(allowed)
            return refusal
        try:
            return await view(request, **which)
        except Exception as error:
            known = errors.translated(error)
            if known is None:
                raise
            return errors.response(known)

    shaped.counts_itself = methods  # type: ignore[attr-defined]
    shaped.csrf_exempt = True  # type: ignore[attr-defined]
    return shaped


@_hot("POST", "DELETE", others=("GET", "HEAD"))
async def orders(request: HttpRequest) -> HttpResponse:
    """POST places an order, DELETE cancels all; the list is REST framework's."""
    if request.method == "POST":
        return await _moved(request, _place)
    if request.method == "DELETE":
        who = await _enter(request)
        body = _parameters(request, known=forms.CANCEL_ALL)
        return _response(200, await commands.cancel_all(user_id=who.user_id, body=body, now=timezone.now()))
    return await _list_orders(request)


@_hot("PATCH", "DELETE", others=("GET", "HEAD"))
async def order(request: HttpRequest, order_id: int) -> HttpResponse:
    """PATCH amends, DELETE cancels; the rest is REST framework's."""
    if request.method in ("PATCH", "DELETE"):
        return await _changed(request, order_id=order_id)
    return await _one_order(request, order_id=order_id)


@_hot("PATCH", "DELETE", others=("GET", "HEAD"))
async def order_by_client_id(request: HttpRequest, client_order_id: str) -> HttpResponse:
    """The same by the client's own id."""
    if request.method in ("PATCH", "DELETE"):
        return await _changed(request, client_order_id=client_order_id)
    return await _one_by_client_id(request, client_order_id=client_order_id)


@_hot("POST")
async def oco(request: HttpRequest) -> HttpResponse:
    """POST places two orders of which one cancels the other."""
    return await _moved(request, _place_oco)


@_hot("POST")
async def batch(request: HttpRequest) -> HttpResponse:
    """POST up to 50 commands."""
    return await _moved(request, _batch, cost=_size(request))


@_hot("POST")
async def cancel_after(request: HttpRequest) -> HttpResponse:
    """POST sets, renews or takes back the customer's countdown."""
    who = await _enter(request)
    _parameters(request)
    return _response(200, await commands.countdown(user_id=who.user_id, body=_json(request), now=timezone.now()))


# --- The way in -------------------------------------------------------------------------------------------------------


async def _enter(request: HttpRequest, *, cost: int = 1) -> admission.LogIn:
    """Who is there, counted. Raises NotAuthenticated and its kin, CsrfFailed, ScopeMissing, Refused."""
    address = addresses.of_request(request)
    signed = signing.of_request(request)
    given = Credentials(signed.key_id, "key") if signed is not None else authentication.given_with(request)
    with limits.Noted(request):
        if given is None:
            limits.note(request, await buckets.spend(buckets.bucket("address", address)))
            known = None
        else:
            known, spent = await admission.admit(
                given, "orders", address=address, cost=cost, signed=signed, write=signed is not None
            )
            limits.note(request, spent)
    if known is None:
        raise NotAuthenticated(authentication.LOG_IN)
    if known.by == "session":
        authentication.check_csrf(request)
    elif known.by == "key":
        known.require("trade")
    return known


async def _changed(request: HttpRequest, **which: Any) -> HttpResponse:
    who = await _enter(request)
    _parameters(request)
    if request.method == "DELETE":
        return _response(200, await commands.cancel(user_id=who.user_id, now=timezone.now(), **which))
    own = _own(who)
    return _response(200, await commands.amend(**own, body=_json(request), now=timezone.now(), **which))


def _own(who: admission.LogIn) -> dict[str, Any]:
    """Whose order it is, and whether anything of his trading has to be counted before it goes out."""
    return {"user_id": who.user_id, "unlimited": freedoms.TRADING in who.freedoms}


async def _moved(request: HttpRequest, work: Callable[..., Awaitable[Answer]], *, cost: int = 1) -> HttpResponse:
    """A POST that moves money: with an Idempotency-Key it is done once and answered the same each time."""
    key = idempotency.key_of(request, required=False)
    who = await _enter(request, cost=cost)
    _parameters(request)
    work = partial(work, **_own(who))
    if key is None:
        return _response(*await work(body=_json(request)))
    claim = partial(idempotency.claim, user_id=who.user_id, key=key, request=request, now=timezone.now())
    taken = await threads.run(claim)
    if taken.replay is not None:
        return taken.replay
    try:
        response = await _answered(partial(work, own_id=idempotency.client_order_id(key)), request)
    except BaseException:
        # A process that ends cancels this task; the key must be given back all the same.
        await asyncio.shield(threads.run(idempotency.release, taken))
        raise
    await threads.run(idempotency.settle, taken, response)
    return response


async def _answered(work: Callable[..., Awaitable[Answer]], request: HttpRequest) -> HttpResponse:
    """The answer to keep: what was done, or the refusal that the same request will always meet."""
    try:
        return _response(*await work(body=_json(request)))
    except Exception as error:
        known = errors.translated(error)
        if known is None:
            raise
        return errors.response(known)


async def _place(**asked: Any) -> Answer:
    new, shape = await commands.place(now=timezone.now(), **asked)
    return 201 if new else 200, shape


async def _place_oco(**asked: Any) -> Answer:
    new, shape = await commands.place_oco(now=timezone.now(), **asked)
    return 201 if new else 200, shape


async def _batch(*, own_id: str | None = None, **asked: Any) -> Answer:
    own_id = own_id[:32] if own_id is not None else None  # an order's own number is added
    return 200, await commands.batch(own_id=own_id, now=timezone.now(), **asked)


def _size(request: HttpRequest) -> int:
    """How many requests a batch counts for, before it is known to be one."""
    try:
        items = orjson.loads(request.body)["orders"]
        return max(1, min(len(items), BATCH_COST_MAX))
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return 1


# --- Form -------------------------------------------------------------------------------------------------------------


def _json(request: HttpRequest) -> Any:
    if request.content_type != errors.JSON:
        raise problems.of_status(415)
    try:
        return orjson.loads(request.body)
    except orjson.JSONDecodeError:
        raise problems.MalformedJson("The body is not valid JSON.") from None


def _parameters(request: HttpRequest, *, known: Any = ()) -> dict[str, str]:
    """The query parameters, each known and given once."""
    if not request.META.get("QUERY_STRING"):
        return {}
    for name, values in request.GET.lists():
        if name not in known or len(values) > 1:
            raise FieldUnknown(f"There is no query parameter {name[:50]!r} here, or not twice.", param=name[:50])
    return request.GET.dict()


def _response(status: int, shape: dict[str, Any]) -> HttpResponse:
    return errors.json(orjson.dumps(shape), status=status)
