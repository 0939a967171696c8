"""One websocket, from its handshake to its end.

Subscriptions and log-in are done one after the other; orders run side by side (desk.py). A message that is not understood is
answered and the connection lives on.
What must never happen here: a page of another site that reads a customer's account (the origin is checked before the cookie is
looked at), a private channel after its log-in has ended, a send that makes anybody else wait.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter as Tally
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import structlog
from django.utils import timezone
from prometheus_client import Gauge

from exchange.accounts.api import addresses, admission, authentication, buckets, signing
from exchange.core import errors
from exchange.core.times import iso
from trading.marketdata import hub
from trading.marketdata.outgoing import LINE, Outgoing
from trading.sockets import messages
from trading.sockets.desk import Desk
from trading.sockets.messages import Message, MessageInvalid, Rate, TooManyConnections, limit
from trading.sockets.subscriptions import Subscriptions

log = structlog.get_logger(__name__)
SOCKETS = Gauge("bourse_websocket_connections", "Websockets that are open now.")
_open: Tally[str] = Tally()  # sockets of this process by "address:…" and "user:…"
MARKS_LOOKED_AT_S = 5.0
LOG_INS_FAILED_MAX = 3
Scope = dict[str, Any]


class Connection:
    """What one reader has: channels, a log-in, a desk."""

    def __init__(self, scope: Scope, send: Callable[[Message], Awaitable[None]]) -> None:
        self.scope, self._send = scope, send
        self.closed = False
        self._counted: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._rate = Rate(limit("messages_per_s"))
        self._bytes_max = limit("message_bytes")
        self.log_in: admission.LogIn | None = None
        self._given: authentication.Credentials | None = None
        self._desk: Desk | None = None
        self._accepted = self._busy = False
        self._log_ins_failed = 0
        self._outgoing = Outgoing(scope=scope, send=send, settle=self._settle, failed=self._failed)
        self._subscriptions = Subscriptions(hub.of_this_process(), self._outgoing)

    async def open(self) -> None:
        """Accept, log in by what the handshake brought, greet; or turn it away."""
        origin = messages.header(self.scope, b"origin")
        if origin is not None and not messages.is_ours(origin, host=messages.header(self.scope, b"host")):
            await self._shut(messages.CLOSE_ORIGIN)
            return
        await self._send({"type": "websocket.accept"})
        SOCKETS.inc()
        self._accepted = True
        self._outgoing.start()
        if (line := self.scope.get("extensions", {}).get(LINE)) is not None:
            line.taker = self.take_at_once
        try:
            self._count(f"address:{addresses.counted(addresses.of_scope(self.scope))}", limit("per_address"))
            # A cookie counts only when a page of ours sent it along: programs have no Origin, and use a token.
            signed = signing.of_scope(self.scope)
            given = authentication.credentials(self.scope["headers"], cookies=origin is not None)
            if signed is not None:
                await self._log_in_by_key(signed)
            elif given is not None:
                await self._log_in(given)
        except errors.DomainError as error:
            too_many = isinstance(error, errors.TooMany)
            await self._close(error, messages.CLOSE_TOO_MANY if too_many else messages.CLOSE_LOG_IN_ENDED)
            return
        self.reply({"type": "hello", "time": iso(timezone.now()), "authenticated": self.log_in is not None})

    async def end(self) -> None:
        """The line is gone, whoever cut it."""
        self.closed = True
        if self._desk is not None:
            self._desk.line_ended()
        for task in self._tasks:
            task.cancel()
        for key in self._counted:
            _open[key] -= 1
            if not _open[key]:
                del _open[key]
        if not self._accepted:
            return
        self._outgoing.stop()
        SOCKETS.dec()
        await self._subscriptions.close()
        if self._desk is not None:
            await self._desk.closed()

    def take_at_once(self, raw: bytes) -> bool:
        """A command, past ASGI's queue, where the server offers it; False for what has to be waited for."""
        if self._busy or self._desk is None or self.closed:
            return False
        own: Message = {}
        try:
            message = messages.understood(raw, bytes_max=self._bytes_max)
            op = message.get("op")
            if type(op) is str and op in messages.CONTROLS:
                return False
            own = messages.id_of(message)
            self._desk.take(messages.op_of(message), message, own)
        except errors.DomainError as error:
            self.reply({**errors.body(error), **own})
        except Exception:
            log.exception("websocket message failed")
            self.reply({**errors.body(messages.Internal("Something went wrong on our side.")), **own})
        return True

    async def take(self, raw: bytes | str) -> None:
        """One message of the reader's. Until it is done, none overtakes it."""
        self._busy = True
        try:
            await self._take(raw)
        finally:
            self._busy = False

    async def _take(self, raw: bytes | str) -> None:
        own: Message = {}
        try:
            message = messages.understood(raw, bytes_max=self._bytes_max)
            own = messages.id_of(message)
            op = messages.op_of(message)
            if op in messages.COMMANDS:
                if self._desk is None:
                    raise errors.NotAuthenticated("Please log in before you send orders.")
                self._desk.take(op, message, own)
            else:
                self._rate.spend()
                await self._control(op, message, own)
        except errors.DomainError as error:
            self.reply({**errors.body(error), **own})
        except Exception:
            log.exception("websocket message failed")
            self.reply({**errors.body(messages.Internal("Something went wrong on our side.")), **own})

    async def _control(self, op: str, message: Message, own: Message) -> None:
        for name in message:
            if name not in messages.CONTROLS[op]:
                raise MessageInvalid(f"{op} has no field {name[:50]!r}.", param=name[:50])
        if op == "ping":
            self.reply({"type": "pong", "time": iso(timezone.now()), **own})
        elif op == "login":
            if await self._try_log_in(message, own):
                self.reply({"type": "authenticated", **own})
        elif op == "subscribe":
            await self._subscriptions.add(
                message,
                log_in=self.log_in,
                answer=lambda names: self.reply({"type": "subscribed", "channels": names, **own}),
            )
        else:
            names = await self._subscriptions.remove(message)
            self.reply({"type": "unsubscribed", "channels": names, **own})

    # --- Log-in -------------------------------------------------------------------------------------------------------

    async def _try_log_in(self, message: Message, own: Message) -> bool:
        """Whether it came in. Whoever is refused so often in turn guesses, or is broken: he is told so and shut out."""
        try:
            await self._log_in_by(message)
        except (errors.NotAuthenticated, errors.PermissionDenied) as error:
            self._log_ins_failed += 1
            if self._log_ins_failed < LOG_INS_FAILED_MAX:
                raise
            await self._close(error, messages.CLOSE_LOG_IN_ENDED, own)
            return False
        self._log_ins_failed = 0
        return True

    async def _log_in_by(self, message: Message) -> None:
        """By what a login message brought: a session's token, or a key's signature of GET on this very address."""
        if "key" not in message:
            token = message.get("session_token")
            if not isinstance(token, str) or len(message) > 1:
                raise MessageInvalid(
                    "login needs a session_token, or key, timestamp and signature.", param="session_token"
                )
            await self._log_in(authentication.Credentials(key=token, by="token"))
            return
        if "session_token" in message:
            raise MessageInvalid("login takes a session_token or a key, not both.", param="session_token")
        for name in ("key", "timestamp", "signature", "window"):
            if not isinstance(message.get(name, ""), str):
                raise MessageInvalid(f"{name} is a string.", param=name)
        given = (message.get(name) for name in ("key", "timestamp", "signature", "window"))
        await self._log_in_by_key(signing.of_parts(*given, method="GET", path=b"/ws/", query=b"", body=b""))

    async def _log_in_by_key(self, signed: signing.Signed) -> None:
        """A signature opens one connection; the key then stands for what the connection sends."""
        given = authentication.Credentials(signed.key_id, "key")
        address = addresses.of_scope(self.scope)
        found, _ = await admission.admit(given, "customer", address=address, signed=signed, write=True)
        await self._logged_in(given, found)

    async def _log_in(self, given: authentication.Credentials) -> None:
        """By a token or a cookie, which anybody can make up: counted before the database is asked."""
        await buckets.spend(buckets.bucket("address", addresses.of_scope(self.scope)))
        await self._logged_in(given, await admission.read(given))

    async def _logged_in(self, given: authentication.Credentials, found: admission.LogIn | None) -> None:
        if found is None:
            return
        if self.log_in is not None and self.log_in.user_id != found.user_id:
            raise errors.Conflict("This connection is logged in as somebody else. Please open another one.")
        self._given = given
        if self.log_in is None:
            self._count(f"user:{found.user_id}", limit("per_user"))
            self._spawn(self._watch_log_in())
            self._desk = Desk(user_id=found.user_id, given=given, reply=self.reply, ended=self._log_in_ended)
        assert self._desk is not None
        self._desk.given = given
        self.log_in = found

    async def _watch_log_in(self) -> None:
        """A log-out, a changed password or a closed account ends the connections it had opened: at once where its mark is
        seen, and otherwise when the database is asked again."""
        asked_at = time.monotonic()
        while True:
            await asyncio.sleep(min(MARKS_LOOKED_AT_S, limit("log_in_check_s")))
            assert self._given is not None
            assert self.log_in is not None
            if time.monotonic() - asked_at < limit("log_in_check_s") and await admission.unmarked(self.log_in):
                continue
            try:
                found = await admission.read(self._given)
            except (authentication.SessionTokenInvalid, signing.KeyInvalid):
                found = None
            except Exception:  # a database that restarts ends nobody's log-in
                log.exception("log-in cannot be checked")
                continue
            if found is None or found.user_id != self.log_in.user_id or found.expired:
                self._log_in_ended()
                return
            self.log_in, asked_at = found, time.monotonic()

    def _log_in_ended(self) -> None:
        error = messages.LogInEnded("Your log-in has ended. Please log in again.")
        self._spawn(self._close(error, messages.CLOSE_LOG_IN_ENDED))

    # --- Out ----------------------------------------------------------------------------------------------------------

    def reply(self, answer: Message) -> None:
        """Put an answer on its way; a reader who takes none is cut off."""
        if not self.closed and not self._outgoing.mailbox.reply(orjson.dumps(answer)):
            self._spawn(self._shut(messages.CLOSE_NOT_READING))

    async def _settle(self, name: str) -> None:
        user_id = self.log_in.user_id if self.log_in is not None else None
        await self._subscriptions.settle(name, user_id=user_id)

    async def _failed(self) -> None:
        await self._shut(messages.CLOSE_FAULT)

    async def _close(self, error: errors.DomainError, code: int, own: Message | None = None) -> None:
        """Say why, then close."""
        if not self.closed:
            await self._outgoing.say(orjson.dumps({**errors.body(error), **(own or {})}).decode())
            await self._shut(code)

    async def _shut(self, code: int) -> None:
        if not self.closed:
            self.closed = True
            await self._send({"type": "websocket.close", "code": code})

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _count(self, key: str, most: int) -> None:
        if _open[key] >= most:
            raise TooManyConnections("Too many connections are open. Please close one first.")
        _open[key] += 1
        self._counted.append(key)
