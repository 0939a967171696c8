"""Checks the whole chain and names the first record that is not what was sealed.

What must never happen here: a check that stops early and calls that good.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from exchange.audit import chain


@dataclass(frozen=True, slots=True)
class Tip:
    """The chain's end: how many seals, and the hash of the last. Kept outside the database, it proves nothing was cut off."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


@dataclass(frozen=True, slots=True)
class Problem:
    """The first thing that is wrong; `record_id` is None where a record is missing altogether."""

    seq: int | None
    record_id: int | None
    what: str


@dataclass(frozen=True, slots=True)
class Verification:
    """How many records were checked, where the chain ends, and the first problem."""

    checked: int
    tip: Tip
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class _Sealed:
    seq: int
    record_id: int
    hash: bytes
    line: chain.Line | None


_SEALED = """
SELECT s.seq, s.record_id, s.hash,
       r.id, to_char(r.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), r.actor_id::text, r.action, r.subject,
       r.before::text, r.after::text, r.origin
FROM audit_seal s LEFT JOIN audit_record r ON r.id = s.record_id
ORDER BY s.seq, s.record_id
"""
_UNSEALED = """
SELECT r.id FROM audit_record r LEFT JOIN audit_seal s ON s.record_id = r.id
WHERE s.seq IS NULL ORDER BY r.id LIMIT 1
"""
_BATCH = 2000


def tip() -> Tip:
    """Where the chain ends now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT seq, hash FROM audit_tip WHERE id = 1")
        seq, hash_ = cursor.fetchone()
    return Tip(seq=seq, hash=bytes(hash_).hex())


def verify(*, anchor: Tip | None = None) -> Verification:
    """Recomputes every seal over one snapshot. `anchor` is a tip noted earlier, which the chain must still run through."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        end = tip()
        checked, last, problem = _walk(anchor)
        if problem is None:
            problem = _check_end(last, end, anchor)
        if problem is None:
            cursor.execute(_UNSEALED)
            if row := cursor.fetchone():
                problem = Problem(seq=None, record_id=row[0], what="was put in without a seal")
    return Verification(checked=checked, tip=end, problem=problem)


def _walk(anchor: Tip | None) -> tuple[int, Tip, Problem | None]:
    """Every seal in order; stops at the first that is wrong."""
    previous, expected = chain.GENESIS, 1
    for sealed in _sealed():
        if problem := _check(sealed, previous, expected):
            return expected - 1, Tip(expected - 1, previous.hex()), problem
        if anchor is not None and anchor.seq == sealed.seq and anchor.hash != sealed.hash.hex():
            return (
                expected - 1,
                Tip(expected - 1, previous.hex()),
                Problem(sealed.seq, sealed.record_id, "was sealed anew: its hash is not the one noted in the anchor"),
            )
        previous, expected = sealed.hash, expected + 1
    return expected - 1, Tip(expected - 1, previous.hex()), None


def _check(sealed: _Sealed, previous: bytes, expected: int) -> Problem | None:
    if sealed.seq != expected:
        return Problem(expected, None, f"seal {expected} is missing")
    if sealed.line is None:
        return Problem(sealed.seq, sealed.record_id, "was deleted")
    if chain.digest(previous, sealed.seq, sealed.line) != sealed.hash:
        return Problem(sealed.seq, sealed.record_id, "was changed after it was sealed")
    return None


def _check_end(last: Tip, end: Tip, anchor: Tip | None) -> Problem | None:
    if last != end:
        return Problem(last.seq + 1, None, f"the chain ends at {last.seq}, its tip says {end.seq}")
    if anchor is not None and anchor.seq > last.seq:
        return Problem(last.seq + 1, None, f"the chain ends at {last.seq}, before the anchor {anchor.seq}")
    return None


def _sealed() -> Iterator[_Sealed]:
    with connection.chunked_cursor() as cursor:
        cursor.itersize = _BATCH
        cursor.execute(_SEALED)
        while rows := cursor.fetchmany(_BATCH):
            yield from map(_row, rows)


def _row(row: tuple[Any, ...]) -> _Sealed:
    line = None if row[3] is None else chain.Line(*row[3:])
    return _Sealed(seq=row[0], record_id=row[1], hash=bytes(row[2]), line=line)
