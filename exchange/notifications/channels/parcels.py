"""What a way out is given, and what it answers. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from exchange.accounts.selectors import Person
from exchange.notifications.message import Message
from exchange.outbox.registry import Event

PUSH_TITLE_MAX, PUSH_BODY_MAX = 120, 300


@dataclass(frozen=True, slots=True)
class Device:
    """A browser or a phone."""

    id: int
    token: str
    p256dh: str = ""
    auth: str = ""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message to one target. `number` is the delivery's own; `address` is of an e-mail, `device` of a push,
    `phone` of an SMS."""

    number: int
    event: Event
    person: Person
    message: Message
    language: str
    address: str = ""
    device: Device | None = None
    phone: str = ""
    seconds_left: int = 3600

    @property
    def title(self) -> str:
        return _cut(self.message.title, PUSH_TITLE_MAX)

    @property
    def body(self) -> str:
        return _cut(self.message.body, PUSH_BODY_MAX)

    @property
    def tag(self) -> str:
        """The same for the same news: a device that is told twice shows it once."""
        return f"n{self.event.id}"


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider has it."""

    reference: str = ""


@dataclass(frozen=True, slots=True)
class Gone:
    """The target is no more: nothing is sent there again."""

    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """This message will never be taken; others may."""

    why: str


@dataclass(frozen=True, slots=True)
class Later:
    """Not now, for this target; `after_s` where the provider said how long."""

    why: str
    after_s: float = 0


@dataclass(frozen=True, slots=True)
class Down:
    """Nobody answers, or what we are is not believed: all that this provider carries waits."""

    why: str
    after_s: float = 0


@dataclass(frozen=True, slots=True)
class Unsure:
    """It may have been taken or not, and a second one cannot be told from the first: it is not tried again."""

    why: str


Outcome = Sent | Gone | Refused | Later | Down | Unsure


def retry_after(text: str | None) -> float:
    """The seconds of a Retry-After header; 0 where it says none, an hour at most."""
    return min(float(text), 3600.0) if text and text.isascii() and text.isdigit() else 0.0


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
