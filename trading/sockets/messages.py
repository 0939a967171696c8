"""What a reader may send, and every way in which it can be wrong: sizes, numbers, forms, codes.

Pure but for the settings. What must never happen here: a message that is taken for another, or a fault without a code.
"""

from __future__ import annotations

import time
from typing import Any

import orjson
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from exchange.core import errors

LIMITS = {
    "message_bytes": 16 * 1024,
    "messages_per_s": 20,
    "commands_per_s": 300,
    "in_flight": 100,
    "channels": 64,
    "per_user": 20,
    "per_address": 100,
    "log_in_check_s": 30.0,
    "countdown_s": 15,
    "renew_s": 5.0,
}
CLOSE_LOG_IN_ENDED, CLOSE_ORIGIN, CLOSE_NOT_READING, CLOSE_TOO_MANY, CLOSE_FAULT = 4401, 4403, 4408, 4429, 1011
CONTROLS: dict[str, frozenset[str]] = {
    "ping": frozenset(),
    "login": frozenset({"session_token", "key", "timestamp", "signature", "window"}),
    "subscribe": frozenset({"channels"}),
    "unsubscribe": frozenset({"channels"}),
}
COMMANDS = frozenset({"place", "oco", "amend", "cancel", "cancel_all", "batch", "cancel_on_disconnect"})
OPS = (*CONTROLS, "place", "oco", "amend", "cancel", "cancel_all", "batch", "cancel_on_disconnect")
ID_CHARACTERS_MAX = 64
Message = dict[str, Any]


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


class TooManyInFlight(errors.TooMany):
    """More commands without an answer than one connection may have."""

    code = "too_many_in_flight"


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


def understood(raw: bytes | str, *, bytes_max: int) -> Message:
    """The object in the bytes, its `op` and `id` as they must be. Raises MessageInvalid, MessageTooLarge."""
    size = len(raw.encode()) if isinstance(raw, str) and not raw.isascii() else len(raw)
    if size > bytes_max:
        raise MessageTooLarge(f"A message has at most {bytes_max} bytes.")
    try:
        message = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise MessageInvalid("A message is a JSON object.") from None
    if type(message) is not dict:
        raise MessageInvalid("A message is a JSON object.")
    return message


def id_of(message: Message) -> Message:
    """The request's own id, to be put into its answer; taken out of the message. Raises MessageInvalid."""
    if "id" not in message:
        return {}
    given = message.pop("id")
    if type(given) is int or (type(given) is str and len(given) <= ID_CHARACTERS_MAX):
        return {"id": given}
    raise MessageInvalid(f"id is an integer or a string of at most {ID_CHARACTERS_MAX} characters.", param="id")


def op_of(message: Message) -> str:
    """What is asked for; taken out of the message. Raises MessageInvalid."""
    op = message.pop("op", None)
    if type(op) is not str or (op not in COMMANDS and op not in CONTROLS):
        raise MessageInvalid(f"op is one of {', '.join(OPS)}.", param="op")
    return op


class Rate:
    """At most so many in each second of the clock."""

    __slots__ = ("most", "second", "spent")

    def __init__(self, most: int) -> None:
        self.most, self.second, self.spent = most, 0, 0

    def spend(self) -> None:
        """Raises TooManyMessages."""
        second = int(time.monotonic())
        if second != self.second:
            self.second, self.spent = second, 0
        self.spent += 1
        if self.spent > self.most:
            raise TooManyMessages(f"At most {self.most} such messages a second, please.")


def header(scope: dict[str, Any], wanted: bytes) -> str | None:
    return next((value.decode("latin1") for name, value in scope["headers"] if name.lower() == wanted), None)


def is_ours(origin: str, *, host: str | None) -> bool:
    """Is it a page of the very host that was asked, or of one that the operator trusts? The rule of Django's CSRF check."""
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    allowed = settings.ALLOWED_HOSTS or ([".localhost", "127.0.0.1", "[::1]"] if settings.DEBUG else [])
    domain, _port = split_domain_port(host or "")
    return origin in (f"http://{host}", f"https://{host}") and bool(domain) and validate_host(domain, allowed)
