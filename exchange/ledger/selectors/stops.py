"""Whether something is stopped for everybody. Asked inside the transaction that would do it, as late as can be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from exchange.core.errors import Unavailable
from exchange.ledger.models import Stop


class Stopped(Unavailable):
    """Stopped for everybody at present; nothing was done. The code names what: withdrawals_stopped, deposits_stopped …"""

    code = "stopped"

    def __init__(self, scope: str, *, of: str = "") -> None:
        what = f"{scope} of {of}" if of else scope
        super().__init__(
            f"{what[0].upper()}{what[1:]} are stopped at present." if scope != "trading" else "Trading is stopped."
        )
        self.code = f"{scope}_stopped"  # type: ignore[misc]


@dataclass(frozen=True)
class StopView:
    """A stop in force."""

    id: int
    scope: str
    source: str
    reason: str
    created_at: datetime


def is_stopped(scope: str, *, of: str = "") -> bool:
    """Whether all of it is stopped or, `of` an asset's code, that asset's."""
    scopes = [scope, f"{scope}:{of}"] if of else [scope]
    return Stop.objects.filter(scope__in=scopes, lifted_at=None).exists()


def stopped_of(scope: str) -> frozenset[str]:
    """The codes of the assets of which alone it is stopped."""
    rows = Stop.objects.filter(scope__startswith=f"{scope}:", lifted_at=None).values_list("scope", flat=True)
    return frozenset(each.partition(":")[2] for each in rows)


def ensure_open(scope: str, *, of: str = "") -> None:
    """Raises Stopped."""
    if is_stopped(scope):
        raise Stopped(scope)
    if of and is_stopped(scope, of=of):
        raise Stopped(scope, of=of)


def active() -> list[StopView]:
    """The stops in force, oldest first."""
    rows = Stop.objects.filter(lifted_at=None).order_by("id")
    return [StopView(id=s.id, scope=s.scope, source=s.source, reason=s.reason, created_at=s.created_at) for s in rows]
