"""The ways out of the house: each takes a parcel, gives it to its provider and says what became of it.

What must never happen here: a way that remembers anything of a person, or that writes a row.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from exchange.notifications.channels.parcels import Outcome, Parcel
from exchange.notifications.models import Delivery

if TYPE_CHECKING:
    from types import ModuleType

Channel = Delivery.Channel
_MODULES = {
    Channel.EMAIL: "email",
    Channel.WEB_PUSH: "web_push",
    Channel.FCM: "fcm",
    Channel.APNS: "apns",
    Channel.SMS: "sms",
}


def _module(channel: str) -> ModuleType:
    """Loaded when it is first used: Google's and httpx' code is of no use to a process that sends nothing."""
    return import_module(f"exchange.notifications.channels.{_MODULES[Channel(channel)]}")


def sender(channel: str) -> Callable[[Parcel], Outcome]:
    send: Callable[[Parcel], Outcome] = _module(channel).send
    return send


def switched_on(channel: str) -> bool:
    """Whether the operator has configured it."""
    return bool(_module(channel).switched_on())
