"""What a customer may move, how much of it is left, and what waits for room: for the page of limits.

What must never happen here: a figure worked out anew; the same numbers refuse and are shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext_lazy

from kyc import selectors as kyc
from kyc.kinds import DAY_S, DEPOSIT, FIAT_IN, FIAT_OUT, KINDS, MONTH_S, TRADING, WINDOWS, WITHDRAWAL
from kyc.selectors import Allowance, LevelView
from wallets import selectors as wallets
from wallets.records import DepositView

TITLES = {
    DEPOSIT: gettext_lazy("Coin deposits"),
    WITHDRAWAL: gettext_lazy("Coin withdrawals"),
    FIAT_IN: gettext_lazy("Bank deposits"),
    FIAT_OUT: gettext_lazy("Bank withdrawals"),
    TRADING: gettext_lazy("Trading"),
}
EXPLAINED = {
    DEPOSIT: gettext_lazy("Coins credited to you. What passes the limit is kept safe and credited when there is room."),
    WITHDRAWAL: gettext_lazy("Coins you asked to send, at their worth when you asked."),
    FIAT_IN: gettext_lazy("Bank money credited to you."),
    FIAT_OUT: gettext_lazy("Bank money sent to you."),
    TRADING: gettext_lazy("The most that your open orders may come to, and what was filled of those that ended."),
}
PERIODS = {DAY_S: gettext_lazy("24 hours"), MONTH_S: gettext_lazy("30 days")}


@dataclass(frozen=True, slots=True)
class Line:
    """One limit. `thousandths` of it are used, for a bar; None where there is no limit or it cannot be counted now."""

    period: str
    allowance: Allowance
    thousandths: int | None


@dataclass(frozen=True, slots=True)
class Part:
    """The limits of one kind."""

    kind: str
    title: str
    explained: str
    lines: tuple[Line, ...]

    @property
    def unlimited(self) -> bool:
        return all(line.allowance.limit is None for line in self.lines)


@dataclass(frozen=True, slots=True)
class Row:
    """What each level allows of one kind, a day and 30 days."""

    title: str
    amounts: tuple[tuple[int | None, ...], ...]


@dataclass(frozen=True, slots=True)
class Board:
    """The whole page."""

    level: LevelView
    parts: tuple[Part, ...]
    levels: tuple[LevelView, ...]
    rows: tuple[Row, ...]
    held: tuple[DepositView, ...]

    @property
    def higher(self) -> bool:
        """Whether there is a level above this one."""
        return any(level.number > self.level.number for level in self.levels)


def board(*, user_id: int, now: datetime) -> Board:
    """The number of queries is the same whatever was moved."""
    own, levels = kyc.level(user_id), kyc.levels()
    found: dict[str, list[Line]] = {kind: [] for kind in KINDS}
    for allowance in kyc.allowances(user_id, now=now):
        found[allowance.kind].append(Line(str(PERIODS[allowance.seconds]), allowance, _thousandths(allowance)))
    return Board(
        level=own,
        parts=tuple(Part(kind, str(TITLES[kind]), str(EXPLAINED[kind]), tuple(found[kind])) for kind in KINDS),
        levels=tuple(levels),
        rows=tuple(Row(str(TITLES[kind]), tuple(_amounts(level, kind) for level in levels)) for kind in KINDS),
        held=tuple(deposit for deposit in wallets.pending(user_id) if deposit.state == "held"),
    )


def _amounts(level: LevelView, kind: str) -> tuple[int | None, ...]:
    return tuple(level.limits[kind, seconds] for seconds in WINDOWS)


def _thousandths(allowance: Allowance) -> int | None:
    if allowance.limit is None or allowance.used is None:
        return None
    return min(1_000, 1_000 * allowance.used // allowance.limit) if allowance.limit else 1_000
