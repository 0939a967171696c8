"""Order entry over one connection: each command a task of its own, so that one that waits holds up no other.

Answers carry the request's id and come as they are ready. A command is admitted like a request over REST: the log-in is
looked at, and the customer's limit counts. What must never happen here: a command for a log-in that has ended, more commands
under way than IN_FLIGHT, or one that is dropped because its reader went away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from django.utils import timezone

from exchange.accounts.api import admission, authentication
from exchange.accounts.api.authentication import Credentials
from exchange.core import errors
from trading.api import commands, forms
from trading.sockets.guard import Guard
from trading.sockets.messages import Internal, LogInEnded, Message, Rate, TooManyInFlight, limit

log = structlog.get_logger(__name__)
Answer = dict[str, Any]


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
        self._under_way: set[asyncio.Task[None]] = set()
        self._in_flight_max = limit("in_flight")
        self._rate = Rate(limit("commands_per_s"))
        self._guard = Guard(user_id)

    def take(self, op: str, body: Message, own: Message) -> None:
        """Begin a command; its answer follows, with `own`. Raises TooManyInFlight, TooManyMessages."""
        if len(self._under_way) >= self._in_flight_max:
            raise TooManyInFlight(f"At most {self._in_flight_max} commands may wait for their answer at once.")
        self._rate.spend()
        task = asyncio.get_running_loop().create_task(self._answered(op, body, own))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def line_ended(self) -> None:
        """What is under way is finished; a guarded customer's orders are cancelled."""
        self._guard.line_ended(self._under_way)

    async def _answered(self, op: str, body: Message, own: Message) -> None:
        try:
            answer = await self._done(op, body)
        except LogInEnded as error:
            answer = errors.body(error)
            self._ended()
        except errors.DomainError as error:
            answer = errors.body(error)
        except Exception:
            log.exception("websocket command failed", op=op)
            answer = errors.body(Internal("Something went wrong on our side."))
        self._reply({**answer, **own})

    async def _done(self, op: str, body: Message) -> Answer:
        await self._admit(cost=_cost(op, body))
        user_id, now = self.user_id, timezone.now()
        if op == "place":
            new, order = await commands.place(user_id=user_id, body=body, now=now)
            return {"type": "placed", "duplicate": not new, "order": order}
        if op == "cancel":
            order = await commands.cancel(user_id=user_id, now=now, **forms.checked(forms.REFERENCE, body))
            return {"type": "cancelled", "order": order}
        if op == "amend":
            named = {name: body.pop(name) for name in forms.REFERENCE if name in body}
            reference = forms.checked(forms.REFERENCE, named)
            return {"type": "amended", "order": await commands.amend(user_id=user_id, body=body, now=now, **reference)}
        if op == "oco":
            new, pair = await commands.place_oco(user_id=user_id, body=body, now=now)
            return {"type": "placed_oco", "duplicate": not new, **pair}
        if op == "cancel_all":
            return {"type": "cancelled_all", **await commands.cancel_all(user_id=user_id, body=body, now=now)}
        if op == "batch":
            return {"type": "batch", **await commands.batch(user_id=user_id, body=body, now=now)}
        return await self._guarded(body)

    async def _guarded(self, body: Message) -> Answer:
        enabled = forms.checked(forms.GUARD, body)["enabled"]
        await (self._guard.raise_() if enabled else self._guard.lower())
        seconds = self._guard.seconds if enabled else None
        return {"type": "cancel_on_disconnect", "enabled": enabled, "seconds": seconds}

    async def _admit(self, *, cost: int) -> None:
        """Raises LogInEnded, Refused."""
        try:
            known, _ = await admission.admit(self.given, "orders", cost=cost)
        except authentication.SessionTokenInvalid:
            known = None
        if known is None or known.user_id != self.user_id:
            raise LogInEnded("Your log-in has ended. Please log in again.")


def _cost(op: str, body: Message) -> int:
    """How many requests it counts for."""
    if op != "batch":
        return 1
    items = body.get("orders")
    return max(1, min(len(items), forms.BATCH_MAX)) if type(items) is list else 1
