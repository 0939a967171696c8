"""The alarm: balances against entries, held against what holds it, the books against the world outside, all the time.

Rooms above register their part at start-up: what they hold, and what they see in nodes and banks. A mismatch stops
withdrawals and is told to the outbox; who lifts the stop gives a reason, and the next run stops again if nothing was mended.
Balances are checked as far as entries are new: sums proved before are kept by account, up to a batch of each writer's chain
(a writer's batches commit in order, so none can turn up below that mark). `full` adds all entries up again.
What must never happen here: a mismatch swallowed, or an outage of a node taken for a theft.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from django.db import OperationalError, transaction

from exchange.ledger import metrics
from exchange.ledger.journal import Kind
from exchange.ledger.models import Account
from exchange.ledger.services import stops
from exchange.ledger.snapshot import snapshot
from exchange.outbox import services as outbox

log = structlog.get_logger(__name__)

MISMATCHES_MAX = 100  # of each sort, in one report
EVENTS_MAX = 20
SNAPSHOTS_MAX = 5
SERIALIZATION_FAILURE = "40001"
READINGS_MAX = 3  # of an outside account whose books move while it is looked at

HeldSource = Callable[[Any], Iterable[tuple[int, int]]]


@dataclass(frozen=True)
class Outside:
    """What a node or a bank shows for an account of ours. `amount_seen + pending` must be what the books say.

    `pending` (signed) is a difference that is explained: booked and not final there yet, or, negative, seen there and not
    booked yet. `parts` says how `amount_seen` divides, by words of the source's own. Base units.
    """

    account_id: int
    amount_seen: int
    as_of: datetime
    pending: int = 0
    parts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """An account of the outside world: base units the books say are there, and the look at it, None without one."""

    account_id: int
    asset_id: int
    booked: int
    look: Outside | None


OutsideSource = Callable[[datetime], Iterable[Outside]]


@dataclass(frozen=True)
class Mismatch:
    """Two numbers that should be one. `sort`: balance, zero, held or outside; `account_id` is None for a whole asset."""

    sort: str
    asset_id: int
    account_id: int | None
    expected: int
    found: int
    detail: str


@dataclass(frozen=True)
class Report:
    """What a run found. `unreachable`: sources that did not answer, which is an outage and no mismatch."""

    mismatches: tuple[Mismatch, ...]
    surpluses: tuple[Mismatch, ...]
    unreachable: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.mismatches


_held_sources: dict[str, HeldSource] = {}
_outside_sources: dict[str, OutsideSource] = {}


def register_held(name: str, fn: HeldSource) -> None:
    """`fn(cursor)` yields (account id, base units held now); called inside one snapshot with all the others."""
    _held_sources[name] = fn


def register_outside(name: str, fn: OutsideSource) -> None:
    """`fn(now)` yields what is seen outside of each of its accounts; it may raise when it cannot see."""
    _outside_sources[name] = fn


def seen(*, now: datetime) -> tuple[list[Seen], list[str]]:
    """Each account of the outside world, what the books say and what is seen there; and who cannot see. No alarm."""
    looks: dict[int, Outside] = {}
    unreachable: list[str] = []
    for name, source in _outside_sources.items():
        try:
            looks |= {outside.account_id: outside for outside in source(now)}
        except Exception as error:
            log.warning("ledger.outside_unreachable", source=name, error=str(error)[:500])
            unreachable.append(name)
    books = sorted(_books().items())
    return [
        Seen(account_id, asset_id, booked, looks.get(account_id)) for account_id, (asset_id, booked) in books
    ], unreachable


def run(*, now: datetime, full: bool = False) -> Report:
    """Check everything once, sound the alarm if it must be, and say what was found."""
    inside = _inside(full=full)
    outside, unreachable = _outside(now)
    shortages = [m for m in outside if m.found < m.expected]
    report = Report(
        mismatches=tuple(inside + shortages),
        surpluses=tuple(m for m in outside if m.found > m.expected),
        unreachable=tuple(unreachable),
    )
    _publish(report, now=now)
    return report


# --- Inside -------------------------------------------------------------------------------------------------------


def _inside(*, full: bool) -> list[Mismatch]:
    """The book against itself, in one snapshot; anew when another run moved the checkpoints under it."""
    for attempt in range(SNAPSHOTS_MAX):
        try:
            with snapshot() as cursor:
                return [*_balances(cursor, full=full), *_zero(cursor), *held(cursor)]
        except OperationalError as error:
            if getattr(error.__cause__, "pgcode", None) != SERIALIZATION_FAILURE or attempt + 1 == SNAPSHOTS_MAX:
                raise
    raise AssertionError("the last attempt returns or raises")


_FRESH_SUMS = """
INSERT INTO ledger_checkpoint AS c (account_id, balance)
  SELECT e.account_id, sum(e.amount)
  FROM ledger_batch b
  LEFT JOIN ledger_watermark w ON w.writer_id = b.writer_id
  JOIN ledger_transfer t ON t.id BETWEEN b.first_transfer_id AND b.last_transfer_id AND t.batch_id = b.id
  JOIN ledger_entry e ON e.id >= t.id << 5 AND e.id < (t.id + 1) << 5
  WHERE b.seq > coalesce(w.seq, 0)
  GROUP BY e.account_id
  ON CONFLICT (account_id) DO UPDATE SET balance = c.balance + excluded.balance
"""
_ALL_SUMS = """
INSERT INTO ledger_checkpoint AS c (account_id, balance)
  SELECT a.id, coalesce(sum(e.amount), 0) FROM ledger_account a LEFT JOIN ledger_entry e ON e.account_id = a.id GROUP BY a.id
  ON CONFLICT (account_id) DO UPDATE SET balance = excluded.balance WHERE c.balance <> excluded.balance
"""
_MARKS = """
INSERT INTO ledger_watermark AS w (writer_id, seq) SELECT id, seq FROM ledger_writer WHERE seq > 0
  ON CONFLICT (writer_id) DO UPDATE SET seq = excluded.seq WHERE w.seq <> excluded.seq
"""
_DIFFERENT = """
SELECT a.asset_id, a.id, coalesce(c.balance, 0)::text, a.balance::text,
    (SELECT coalesce(sum(e.amount), 0)::text FROM ledger_entry e WHERE e.account_id = a.id)
  FROM ledger_account a LEFT JOIN ledger_checkpoint c ON c.account_id = a.id
  WHERE a.balance <> coalesce(c.balance, 0) ORDER BY a.id LIMIT %s
"""
_NOT_ZERO = "SELECT asset_id, sum(balance)::text FROM ledger_account GROUP BY asset_id HAVING sum(balance) <> 0"


def _balances(cursor: Any, *, full: bool) -> list[Mismatch]:
    """Each balance against the sum of its entries, the new ones added to what was proved before."""
    cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended('ledger reconciliation', 0))")
    if not cursor.fetchone()[0]:
        return []  # another run is adding up at this moment, and reports what it finds
    cursor.execute(_ALL_SUMS if full else _FRESH_SUMS)
    cursor.execute(_MARKS)
    cursor.execute(_DIFFERENT, (MISMATCHES_MAX,))
    found = []
    for asset_id, account_id, proved, balance, entries in cursor.fetchall():
        detail = f"balance {balance}, entries sum to {entries}"
        if entries == balance:
            detail += f", but those checked so far to {proved}: entries were changed, or posted outside the chains"
        found.append(Mismatch("balance", asset_id, account_id, int(proved), int(balance), detail))
    return found


def _zero(cursor: Any) -> list[Mismatch]:
    """Each asset's balances against zero."""
    cursor.execute(_NOT_ZERO)
    return [
        Mismatch("zero", asset_id, None, 0, int(total), f"all balances of the asset sum to {total}")
        for asset_id, total in cursor.fetchall()
    ]


def held(cursor: Any) -> list[Mismatch]:
    """What is held on each account against what the registered rooms say they hold there."""
    expected: Counter[int] = Counter()
    for source in _held_sources.values():
        for account_id, amount in source(cursor):
            expected[account_id] += int(amount)
    cursor.execute("SELECT id, held::text FROM ledger_account WHERE held <> 0")
    found = {account_id: int(amount) for account_id, amount in cursor.fetchall()}
    wrong = sorted(a for a in expected.keys() | found.keys() if expected[a] != found.get(a, 0))[:MISMATCHES_MAX]
    assets = dict(Account.objects.filter(id__in=wrong).values_list("id", "asset_id"))
    return [
        Mismatch(
            "held", assets.get(a, 0), a, expected[a], found.get(a, 0),
            f"held {found.get(a, 0)}, but what holds it comes to {expected[a]}",
        )
        for a in wrong
    ]  # fmt: skip


def pending_holds(cursor: Any) -> Iterable[tuple[int, int]]:
    """This room's own part of what is held."""
    cursor.execute("SELECT account_id, sum(amount) FROM ledger_hold WHERE state = 'pending' GROUP BY account_id")
    return [(account_id, int(amount)) for account_id, amount in cursor.fetchall()]


# --- Outside ------------------------------------------------------------------------------------------------------


def _outside(now: datetime) -> tuple[list[Mismatch], list[str]]:
    """The books against nodes and banks, a reading counted only when the books stood still around it."""
    different: list[Mismatch] = []
    unreachable: list[str] = []
    for name, source in _outside_sources.items():
        try:
            different.extend(_settled(source, now))
        except Exception as error:
            log.warning("ledger.outside_unreachable", source=name, error=str(error)[:500])
            unreachable.append(name)
    return different, unreachable


def _settled(source: OutsideSource, now: datetime) -> list[Mismatch]:
    """Asked again while the books move; in the end what was seen must lie between the books before and after."""
    for _ in range(READINGS_MAX):
        before = _books()
        seen = list(source(now))
        after = _books()
        if all(before.get(outside.account_id) == after.get(outside.account_id) for outside in seen):
            break
    return [m for outside in seen if (m := _difference(outside, before, after)) is not None]


def _books() -> dict[int, tuple[int, int]]:
    """(asset id, what the books say is outside) by account, for all accounts that stand for something outside."""
    rows = Account.objects.filter(kind__in=(Kind.CHAIN_WALLET.value, Kind.BANK.value))
    return {account.id: (account.asset_id, -account.balance) for account in rows}


def _difference(
    outside: Outside, before: dict[int, tuple[int, int]], after: dict[int, tuple[int, int]]
) -> Mismatch | None:
    if outside.account_id not in after:
        raise ValueError(f"account {outside.account_id} stands for nothing outside")
    asset_id, booked = after[outside.account_id]
    low, high = sorted((booked, before.get(outside.account_id, (asset_id, 0))[1]))
    found = outside.amount_seen + outside.pending
    if low <= found <= high:
        return None
    booked = low if found < low else high
    detail = f"the books say {booked}, outside there is {outside.amount_seen} and {outside.pending} pending"
    return Mismatch("outside", asset_id, outside.account_id, booked, found, detail)


# --- The alarm ----------------------------------------------------------------------------------------------------


def _publish(report: Report, *, now: datetime) -> None:
    metrics.reconciled(
        mismatches=[mismatch.sort for mismatch in report.mismatches],
        unreachable=len(report.unreachable),
        surpluses=len(report.surpluses),
        now=now,
    )
    for mismatch in report.surpluses:
        log.warning(
            "ledger.surplus", account_id=mismatch.account_id, asset_id=mismatch.asset_id, detail=mismatch.detail
        )
    for sort in sorted({mismatch.sort for mismatch in report.mismatches}):
        _alarm(sort, [mismatch for mismatch in report.mismatches if mismatch.sort == sort], now=now)


def _alarm(sort: str, mismatches: list[Mismatch], *, now: datetime) -> None:
    """Stop withdrawals and tell of each mismatch; while the stop for this sort stands, it has been told."""
    first = mismatches[0]
    log.error("ledger.mismatch", sort=sort, count=len(mismatches), account_id=first.account_id, detail=first.detail)
    where = f"account {first.account_id}" if first.account_id else f"asset {first.asset_id}"
    reason = f"{len(mismatches)} mismatches ({sort}); the first: {where}: {first.detail}"
    with transaction.atomic():
        _, made = stops.stop_once(
            scope="withdrawals", source=f"reconciliation:{sort}", reason=reason, actor=None, now=now
        )
        for mismatch in mismatches[:EVENTS_MAX] if made else ():
            outbox.append(
                topic="ledger.mismatch",
                key="ledger",
                payload={
                    "sort": mismatch.sort,
                    "asset_id": mismatch.asset_id,
                    "account_id": mismatch.account_id,
                    "expected": str(mismatch.expected),
                    "found": str(mismatch.found),
                    "detail": mismatch.detail,
                },
                now=now,
            )
