"""Lifting a freeze takes two of staff; to freeze takes one.

What must never happen here: a freeze that is lifted past its service.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exchange.flows.services import freezes
from exchange.proposals import registry
from exchange.proposals.registry import Kind, Line, Wish

KIND = "flows.lift_freeze"


def register() -> None:
    """In AppConfig.ready()."""
    title = gettext_lazy("Lift a customer's freeze")
    registry.register(Kind(KIND, title, "flows.change_freeze", _stands, _apply, lines=_lines, about=_user))


def _user(subject: str) -> int:
    return int(subject.partition(":")[2])


def _stands(subject: str, after: Mapping[str, Any]) -> dict[str, Any]:
    return {"frozen": freezes.stands(user_id=_user(subject))}


def _apply(wish: Wish) -> None:
    freezes.lift(user_id=_user(wish.subject), reason=wish.reason, actor_id=wish.actor_id, now=wish.now)


def _lines(before: Mapping[str, Any], after: Mapping[str, Any], subject: str) -> list[Line]:
    return [Line(_("Customer %(number)s") % {"number": _user(subject)}, _("frozen by staff"), _("free of this freeze"))]
