"""Order entry over one connection: each command a task of its own, so that one that waits holds up no other.

Answers carry the request's id and come as they are ready. A command is admitted like a request over REST: the log-in is
looked at, and the customer's limit counts. What must never happen here: a command for a log-in that has ended, more commands
under way than IN_FLIGHT, or one that is dropped because its reader went away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

import structlog
from django.utils import timezone

from exchange.accounts import freedoms
from exchange.accounts.api import admission, authentication, buckets, signing
from exchange.accounts.api.authentication import Credentials
from exchange.core import errors
from trading.api import commands, forms
from trading.sockets.guard import Guard
from trading.sockets.messages import Internal, LogInEnded, Message, Rate, TooManyInFlight, limit

log = structlog.get_logger(__name__)
Answer = dict[str, Any]


class _Command(NamedTuple):
    """One that has arrived."""

    op: str
    body: Message
    own: Message
    cost: int


class Desk:
    """One connection's, from its log-in on. `reply` sends an answer; `ended` closes the line of a log-in that is no more."""

    def __init__(
        self,
        *,
        user_id: int,
        given: Credentials,
        reply: Callable[[Answer], None],
        ended: Callable[[], None],
    ) -> None:
        self.user_id, self.given, self._reply, self._ended = user_id, given, reply, ended
        self._arrived: list[_Command] = []
        self._unanswered = 0
        self._under_way: set[asyncio.Task[None]] = set()
        self._in_flight_max = limit("in_flight")
        self._rate = Rate(limit("commands_per_s"))
        self._guard = Guard(user_id)

    def take(self, op: str, body: Message, own: Message) -> None:
        """Begin a command; its answer follows, with `own`. Raises TooManyInFlight, TooManyMessages."""
        if self._unanswered >= self._in_flight_max:
            raise TooManyInFlight(f"At most {self._in_flight_max} commands may wait for their answer at once.")
        self._rate.spend()
        self._unanswered += 1
        self._arrived.append(_Command(op, body, own, _cost(op, body)))
        if len(self._arrived) == 1:
            asyncio.get_running_loop().call_soon(self._begin)

    def line_ended(self) -> None:
        """What is under way is finished; a guarded customer's orders are cancelled."""
        if self._arrived:
            self._begin()
        self._guard.line_ended(self._under_way)

    async def closed(self) -> None:
        """Wait for what the line's end began."""
        await self._guard.closed()

    def _begin(self) -> None:
        """What arrived together is admitted together."""
        arrived, self._arrived = self._arrived, []
        if arrived:
            self._start(self._together(arrived))

    async def _together(self, arrived: list[_Command]) -> None:
        try:
            unlimited = await self._admit(cost=sum(command.cost for command in arrived))
        except errors.DomainError as error:
            if len(arrived) > 1 and isinstance(error, buckets.Refused):
                for command in arrived:  # too many at once, but perhaps not each of them
                    self._start(self._together([command]))
                return
            for command in arrived:
                self._answer(command, errors.body(error))
            if isinstance(error, LogInEnded):
                self._ended()
            return
        except Exception:
            log.exception("websocket commands cannot be admitted")
            for command in arrived:
                self._answer(command, errors.body(Internal("Something went wrong on our side.")))
            return
        for command in arrived[1:]:
            self._start(self._answered(command, unlimited))
        await self._answered(arrived[0], unlimited)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _answered(self, command: _Command, unlimited: bool) -> None:
        try:
            answer = await self._done(command.op, command.body, unlimited)
        except errors.DomainError as error:
            answer = errors.body(error)
        except Exception:
            log.exception("websocket command failed", op=command.op)
            answer = errors.body(Internal("Something went wrong on our side."))
        self._answer(command, answer)

    def _answer(self, command: _Command, answer: Answer) -> None:
        self._unanswered -= 1
        self._reply({**answer, **command.own})

    async def _done(self, op: str, body: Message, unlimited: bool) -> Answer:
        user_id, now = self.user_id, timezone.now()
        own: Any = {"user_id": user_id, "unlimited": unlimited, "now": now}
        if op == "place":
            new, order = await commands.place(body=body, **own)
            return {"type": "placed", "duplicate": not new, "order": order}
        if op == "cancel":
            order = await commands.cancel(user_id=user_id, now=now, **forms.checked(forms.REFERENCE, body))
            return {"type": "cancelled", "order": order}
        if op == "amend":
            named = {name: body.pop(name) for name in forms.REFERENCE if name in body}
            reference = forms.checked(forms.REFERENCE, named)
            return {"type": "amended", "order": await commands.amend(body=body, **own, **reference)}
        if op == "oco":
            new, pair = await commands.place_oco(body=body, **own)
            return {"type": "placed_oco", "duplicate": not new, **pair}
        if op == "cancel_all":
            return {"type": "cancelled_all", **await commands.cancel_all(user_id=user_id, body=body, now=now)}
        if op == "batch":
            return {"type": "batch", **await commands.batch(body=body, **own)}
        return await self._guarded(body)

    async def _guarded(self, body: Message) -> Answer:
        enabled = forms.checked(forms.GUARD, body)["enabled"]
        await (self._guard.raise_() if enabled else self._guard.lower())
        seconds = self._guard.seconds if enabled else None
        return {"type": "cancel_on_disconnect", "enabled": enabled, "seconds": seconds}

    async def _admit(self, *, cost: int) -> bool:
        """Whether nothing limits the customer's trading. Raises LogInEnded, ScopeMissing, Refused."""
        try:
            known, _ = await admission.admit(self.given, "orders", cost=cost)
        except (authentication.SessionTokenInvalid, signing.KeyInvalid, admission.KeyExpired):
            known = None
        if known is None or known.user_id != self.user_id:
            raise LogInEnded("Your log-in has ended. Please log in again.")
        known.require("trade")
        return freedoms.TRADING in known.freedoms


def _cost(op: str, body: Message) -> int:
    """How many requests it counts for."""
    if op != "batch":
        return 1
    items = body.get("orders")
    return max(1, min(len(items), forms.BATCH_MAX)) if type(items) is list else 1
