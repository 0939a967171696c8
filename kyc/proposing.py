"""What a level allows takes two of staff: how the change is shown, and which service makes it.

What must never happen here: a limit that changes past services.levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exchange.core import amounts
from exchange.proposals import registry
from exchange.proposals.registry import Kind, Line, Wish
from kyc import selectors
from kyc.kinds import PERIODS, TITLES
from kyc.services import levels

Key = tuple[str, int]


def register() -> None:
    """In AppConfig.ready()."""
    title = gettext_lazy("Change what a level allows")
    registry.register(Kind("kyc.limits", title, "kyc.change_level", _stands, _apply, lines=_lines))


def after(wished: Mapping[Key, int | None]) -> dict[str, str | None]:
    """Limits as a proposal names them: base units as text, None for no limit."""
    return {f"{kind}_{seconds}": None if units is None else str(units) for (kind, seconds), units in wished.items()}


def _level(subject: str) -> selectors.LevelView:
    number = int(subject.partition(":")[2])
    for view in selectors.levels():
        if view.number == number:
            return view
    raise levels.LevelNotFound("There is no such level.", param="level")


def _key(name: str) -> Key:
    kind, _dash, seconds = name.rpartition("_")
    return kind, int(seconds)


def _stands(subject: str, wished: Mapping[str, Any]) -> dict[str, Any]:
    return {name: text for name, text in after(_level(subject).limits).items() if name in wished}


def _apply(wish: Wish) -> None:
    given = {_key(name): None if text is None else int(text) for name, text in wish.after.items()}
    levels.set_limits(
        level=_level(wish.subject).number, amounts=given, reason=wish.reason, actor_id=wish.actor_id, origin=wish.origin,
        now=wish.now,
    )  # fmt: skip


def _lines(before: Mapping[str, Any], wished: Mapping[str, Any], subject: str) -> list[Line]:
    view = _level(subject)

    def said(text: str | None) -> str:
        if text is None:
            return _("no limit")
        return f"{amounts.format(int(text), decimals=view.decimals)} {view.currency}"

    return [
        Line(f"{TITLES[_key(name)[0]]}, {PERIODS[_key(name)[1]]}", said(before.get(name)), said(text))
        for name, text in wished.items()
    ]
