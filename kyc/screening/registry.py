"""Who hears of what screening decides, without screening knowing the rooms above. Filled in AppConfig.ready().

What must never happen here: a decision that is lost because a listener failed. They run in the decision's own transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol


class DepositCleared(Protocol):
    def __call__(self, *, deposit_id: str, actor_id: int, now: datetime) -> None: ...


_deposit_cleared: dict[str, DepositCleared] = {}


def on_deposit_cleared(name: str) -> Callable[[DepositCleared], DepositCleared]:
    """Registers a function that hears when nothing holds a deposit any more; a name registers once."""

    def register(fn: DepositCleared) -> DepositCleared:
        _deposit_cleared[name] = fn
        return fn

    return register


def deposit_cleared(*, deposit_id: str, actor_id: int, now: datetime) -> None:
    for fn in list(_deposit_cleared.values()):
        fn(deposit_id=deposit_id, actor_id=actor_id, now=now)
