"""Mails that hold something which stands in no event (a link's secret token): whoever makes it says how, at the start.

What must never happen here: two makers of one topic's mail, or a maker that gives out the same secret twice.
"""

from __future__ import annotations

from collections.abc import Callable

from exchange.notifications.message import Message
from exchange.outbox.registry import Event

Maker = Callable[[Event], Message | None]

_makers: dict[str, Maker] = {}


def mail_of(topic: str) -> Callable[[Maker], Maker]:
    """Registers who makes the mail of a topic; called anew for each attempt, None where it is of no use any more."""

    def register(make: Maker) -> Maker:
        assert _makers.get(topic) in (None, make), f"two rooms make the mail of {topic}"
        _makers[topic] = make
        return make

    return register


def maker(topic: str) -> Maker | None:
    return _makers.get(topic)
