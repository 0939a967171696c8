"""The websocket at /ws/: one reader's subscriptions.

What must never happen here: a page of another site that reads a customer's account (the origin is checked before the cookie is
looked at), a private channel after its log-in has ended, a send that makes anybody else wait.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter as Tally
from typing import Any

import orjson
import structlog
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.utils import timezone
from prometheus_client import Gauge

from exchange.accounts.api import addresses, authentication
from exchange.core import errors
from exchange.core.times import iso
from trading.marketdata import channels, hub, reading
from trading.marketdata.mailbox import encode
from trading.marketdata.outgoing import Outgoing

log = structlog.get_logger(__name__)
SOCKETS = Gauge("bourse_websocket_connections", "Websockets that are open now.")
_open: Tally[str] = Tally()  # sockets of this process by "address:…" and "user:…"
LIMITS = {
    "message_bytes": 4096,
    "messages_per_s": 20,
    "channels": 64,
    "per_user": 20,
    "per_address": 100,
    "log_in_check_s": 30.0,
}
CLOSE_LOG_IN_ENDED, CLOSE_ORIGIN, CLOSE_NOT_READING, CLOSE_TOO_MANY = 4401, 4403, 4408, 4429
CLOSE_TOO_LARGE, CLOSE_FAULT = 1009, 1011


def limit(name: str) -> Any:
    """A limit, as the operator has set it or as it stands above."""
    return {**LIMITS, **getattr(settings, "WEBSOCKET_LIMITS", {})}[name]


class MessageInvalid(errors.InvalidRequest):
    """Not a JSON object with an `op` that exists."""

    code = "message_invalid"


class MessageTooLarge(errors.InvalidRequest):
    """Longer than a message may be."""

    code = "message_too_large"


class TooManyMessages(errors.TooMany):
    """More messages in a second than one connection may send."""

    code = "too_many_messages"


class TooManyChannels(errors.TooMany):
    """More subscriptions than one connection may have."""

    code = "too_many_channels"


class TooManyConnections(errors.TooMany):
    """More connections than one customer or address may have."""

    code = "too_many_connections"


class LogInEnded(errors.NotAuthenticated):
    """The session that this connection was opened with has ended."""

    code = "log_in_ended"


class Internal(errors.DomainError):
    """A fault of ours."""


class Socket(AsyncWebsocketConsumer):
    """One connection. Its messages are handled one after the other; a task of its own empties the mailbox."""

    channel_layer_alias = ""  # no channel layer: one would cost each connection a queue and a task that nobody needs

    async def connect(self) -> None:
        self.closing = False
        self.subscribed: dict[str, channels.Channel] = {}
        self.tasks: list[asyncio.Task[None]] = []
        self.counted: list[str] = []
        self.window, self.spent = 0, 0
        self.credentials: authentication.Credentials | None = None
        self.identity: authentication.Identity | None = None
        origin = _header(self.scope, b"origin")
        if origin is not None and not _ours(origin, host=_header(self.scope, b"host")):
            await self.close(CLOSE_ORIGIN)
            return
        self.outgoing = Outgoing(scope=self.scope, send=self.base_send, settle=self._settle, failed=self._failed)
        self.mailbox = self.outgoing.mailbox
        self.hub = hub.of_this_process()
        await self.accept()
        SOCKETS.inc()
        self.accepted = True
        self.outgoing.start()
        try:
            self._count(f"address:{addresses.of_scope(self.scope)}", limit("per_address"))
            # A cookie counts only when a page of ours sent it along: programs have no Origin, and use a token.
            given = authentication.credentials(self.scope["headers"], cookies=origin is not None)
            if given is not None:
                await self._log_in(given)
        except errors.DomainError as error:
            await self._end(error, CLOSE_TOO_MANY if isinstance(error, TooManyConnections) else CLOSE_LOG_IN_ENDED)
            return
        self._reply({"type": "hello", "time": iso(timezone.now()), "authenticated": self.identity is not None})

    async def disconnect(self, code: int) -> None:
        for task in getattr(self, "tasks", ()):
            task.cancel()
        for key in self.counted:
            _open[key] -= 1
            if not _open[key]:
                del _open[key]
        if not getattr(self, "accepted", False):
            return
        self.outgoing.stop()
        SOCKETS.dec()
        for channel in list(self.subscribed.values()):
            await self._leave(channel)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        message: dict[str, Any] = {}
        try:
            raw = text_data.encode() if text_data is not None else bytes_data or b""
            if len(raw) > limit("message_bytes"):
                raise MessageTooLarge(f"A message has at most {limit('message_bytes')} bytes.")
            self._spend()
            message = _understood(raw)
            await self._obey(message)
        except MessageTooLarge as error:
            await self._end(error, CLOSE_TOO_LARGE)
        except errors.DomainError as error:
            self._reply({**errors.body(error), **_id(message)})
        except Exception:
            log.exception("websocket message failed", op=message.get("op"))
            self._reply({**errors.body(Internal("Something went wrong on our side.")), **_id(message)})

    async def _obey(self, message: dict[str, Any]) -> None:
        op, known = message["op"], {"op", "id"}
        if op in ("subscribe", "unsubscribe"):
            known.add("channels")
        elif op == "login":
            known.add("session_token")
        for name in message:
            if name not in known:
                raise MessageInvalid(f"{op} has no field {name[:50]!r}.", param=name[:50])
        if op == "ping":
            self._reply({"type": "pong", "time": iso(timezone.now()), **_id(message)})
        elif op == "login":
            token = message.get("session_token")
            if not isinstance(token, str):
                raise MessageInvalid("login needs a session_token.", param="session_token")
            await self._log_in(authentication.Credentials(key=token, by="token"))
            self._reply({"type": "authenticated", **_id(message)})
        elif op == "subscribe":
            await self._subscribe(_channels(message), message)
        else:
            wanted = _channels(message)
            for channel in wanted:
                if self.subscribed.pop(channel.name, None):
                    await self._leave(channel)
            self._reply({"type": "unsubscribed", "channels": [channel.name for channel in wanted], **_id(message)})

    async def _subscribe(self, wanted: list[channels.Channel], message: dict[str, Any]) -> None:
        """All of them or none. The answer is put in the mailbox before the first snapshot can leave it."""
        if any(channel.private for channel in wanted) and self.identity is None:
            raise errors.NotAuthenticated("Please log in for orders, fills and balances.", param="channels")
        fresh = [channel for channel in wanted if channel.name not in self.subscribed]
        if len(self.subscribed) + len(fresh) > limit("channels"):
            raise TooManyChannels(f"One connection has at most {limit('channels')} channels.", param="channels")
        markets = {channel.market for channel in fresh if channel.market}
        if markets and (unknown := markets - await reading.off_loop(reading.symbols)):
            raise hub.MarketNotFound(f"There is no market {min(unknown)[:20]!r}.", param="channels")
        self.outgoing.paused = True
        joined: list[channels.Channel] = []
        try:
            for channel in fresh:
                await self._join(channel)
                joined.append(channel)
                self.subscribed[channel.name] = channel
            # Answers go out before channels, so this one before the snapshots that wait behind the pause.
            self._reply({"type": "subscribed", "channels": [channel.name for channel in wanted], **_id(message)})
        except BaseException:
            for channel in joined:
                self.subscribed.pop(channel.name, None)
                await self._leave(channel)
            raise
        finally:
            self.outgoing.paused = False

    async def _join(self, channel: channels.Channel) -> None:
        if channel.private:
            assert self.identity is not None
            await self.hub.private.subscribe(channel.kind, self.identity.user_id, self.mailbox)
        else:
            await self.hub.subscribe(channel, self.mailbox)

    async def _leave(self, channel: channels.Channel) -> None:
        if channel.private:
            assert self.identity is not None
            await self.hub.private.unsubscribe(channel.kind, self.identity.user_id, self.mailbox)
        else:
            self.hub.unsubscribe(channel, self.mailbox)

    async def _log_in(self, given: authentication.Credentials) -> None:
        found = await reading.off_loop(authentication.by_credentials, given)
        if found is None:
            return
        if self.identity is not None and self.identity.user_id != found.user_id:
            raise errors.Conflict("This connection is logged in as somebody else. Please open another one.")
        if self.identity is None:
            self._count(f"user:{found.user_id}", limit("per_user"))
            self.tasks.append(asyncio.create_task(self._watch_log_in()))
        self.credentials, self.identity = given, found

    async def _watch_log_in(self) -> None:
        """A log-out, a changed password or a closed account ends the connections it had opened."""
        while True:
            await asyncio.sleep(limit("log_in_check_s"))
            assert self.credentials is not None
            try:
                found = await reading.off_loop(authentication.by_credentials, self.credentials)
            except authentication.SessionTokenInvalid:
                found = None
            except Exception:  # a database that restarts ends nobody's log-in
                log.exception("log-in cannot be checked")
                continue
            if found is None:
                await self._end(LogInEnded("Your log-in has ended. Please log in again."), CLOSE_LOG_IN_ENDED)
                return

    async def _failed(self) -> None:
        await self.close(CLOSE_FAULT)

    async def _settle(self, name: str) -> None:
        """The reader was too slow for this channel: say so, and start it over."""
        channel = self.subscribed.get(name)
        if channel is None:
            return
        await self.outgoing.say(encode(name, "gap", {"reason": "slow_reader"}).text)
        if channel.private:
            assert self.identity is not None
            await self.hub.private.snapshot(channel.kind, self.identity.user_id, self.mailbox)
        else:
            self.hub.resync(channel, self.mailbox)

    def _reply(self, answer: dict[str, Any]) -> None:
        if not self.closing and not self.mailbox.reply(orjson.dumps(answer).decode()):
            self.closing = True
            self.tasks.append(asyncio.create_task(self.close(CLOSE_NOT_READING)))

    async def _end(self, error: errors.DomainError, code: int) -> None:
        """Say why, then close."""
        await self.send(text_data=orjson.dumps(errors.body(error)).decode())
        await self.close(code)

    def _count(self, key: str, most: int) -> None:
        if _open[key] >= most:
            raise TooManyConnections("Too many connections are open. Please close one first.")
        _open[key] += 1
        self.counted.append(key)

    def _spend(self) -> None:
        second = int(time.monotonic())
        if second != self.window:
            self.window, self.spent = second, 0
        self.spent += 1
        if self.spent > limit("messages_per_s"):
            raise TooManyMessages(f"At most {limit('messages_per_s')} messages a second, please.")


def _understood(raw: bytes) -> dict[str, Any]:
    try:
        message = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise MessageInvalid("A message is a JSON object.") from None
    if not isinstance(message, dict):
        raise MessageInvalid("A message is a JSON object.")
    if message.get("op") not in ("subscribe", "unsubscribe", "ping", "login"):
        raise MessageInvalid("op is one of subscribe, unsubscribe, ping, login.", param="op")
    given = message.get("id")
    if "id" in message and not (type(given) is int or (isinstance(given, str) and len(given) <= 64)):
        message.pop("id")
        raise MessageInvalid("id is an integer or a string of at most 64 characters.", param="id")
    return message


def _channels(message: dict[str, Any]) -> list[channels.Channel]:
    names = message.get("channels")
    if not isinstance(names, list) or not 1 <= len(names) <= limit("channels"):
        raise channels.ChannelInvalid(f"channels is a list of 1 to {limit('channels')} names.", param="channels")
    return list({channel.name: channel for channel in map(channels.parse, names)}.values())


def _id(message: dict[str, Any]) -> dict[str, Any]:
    return {"id": message["id"]} if "id" in message else {}


def _header(scope: dict[str, Any], wanted: bytes) -> str | None:
    return next((value.decode("latin1") for name, value in scope["headers"] if name.lower() == wanted), None)


def _ours(origin: str, *, host: str | None) -> bool:
    """Is it a page of the very host that was asked, or of one that the operator trusts? The rule of Django's CSRF check."""
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    allowed = settings.ALLOWED_HOSTS or ([".localhost", "127.0.0.1", "[::1]"] if settings.DEBUG else [])
    domain, _port = split_domain_port(host or "")
    return origin in (f"http://{host}", f"https://{host}") and bool(domain) and validate_host(domain, allowed)
