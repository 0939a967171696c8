"""The proof: everything the book says, computed again from its rows alone, and the first row that does not fit, by name.

Each transfer's digest and each batch's hash are made anew with journal.py; chains must run from their first batch to their
writer's head; entries must sum to zero, balances to their entries, held to what holds it. Anyone who can read the tables can
do the same. What must never happen here: a write, or a row taken on trust because its neighbour was right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from exchange.ledger import journal, reconciliation
from exchange.ledger.journal import Entry, JournalError, Kind, Transfer
from exchange.ledger.services import stops
from exchange.ledger.snapshot import snapshot

CHUNK = 10_000  # transfers read at once
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Finding:
    """The first row that is wrong: which, and how."""

    row: str
    problem: str

    def __str__(self) -> str:
        return f"{self.row}: {self.problem}"


@dataclass(frozen=True)
class Result:
    """What was read, and the first thing found wrong, if any."""

    transfers: int
    entries: int
    batches: int
    accounts: int
    finding: Finding | None


@dataclass(frozen=True)
class Head:
    """The newest batch of a writer's chain, as it was noted at some time. Kept elsewhere, it binds even the database's owner."""

    writer: str
    seq: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.writer} {self.seq} {self.hash.hex()}"

    @classmethod
    def parse(cls, line: str) -> Head:
        """The reverse of str. Raises ValueError."""
        writer, seq, digest = line.split()
        return cls(writer, int(seq), bytes.fromhex(digest))


class _Wrong(Exception):
    def __init__(self, row: str, problem: str) -> None:
        super().__init__(row)
        self.finding = Finding(row, problem)


@dataclass
class _Batch:
    """A batch whose transfers are being read."""

    id: int
    writer_id: int
    seq: int
    transfers: int
    posted_at: datetime
    previous: bytes
    hash: bytes
    digests: list[bytes]


def heads() -> list[Head]:
    """The chains' heads now, to be kept where the database's owner cannot reach."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, seq, head FROM ledger_writer WHERE seq > 0 ORDER BY id")
        return [Head(name, seq, bytes(head)) for name, seq, head in cursor.fetchall()]


def verify(*, progress: Progress = lambda text: None, noted: Sequence[Head] = ()) -> Result:
    """Recompute the whole book in one snapshot; ends at the first row that is wrong.

    `noted`: heads kept from earlier; each must still be in its chain.
    """
    counts = {"transfers": 0, "entries": 0, "batches": 0, "accounts": 0}
    finding = None
    with snapshot() as cursor:
        try:
            _noted(cursor, noted)
            _chains(cursor, counts)
            progress(f"{counts['batches']} batches in unbroken chains")
            _journal(cursor, counts, progress)
            _keys(cursor)
            progress("keys lead to their transfers")
            _accounts(cursor, counts)
            progress(f"{counts['accounts']} balances are the sums of their entries")
            _held(cursor)
            progress("what is held is held for something")
        except _Wrong as wrong:
            finding = wrong.finding
    return Result(**counts, finding=finding)


def verify_and_stop(*, now: datetime) -> Result:
    """Verify; a book that is wrong stops withdrawals."""
    result = verify()
    if result.finding is not None:
        stops.stop(scope="withdrawals", source="verification", reason=str(result.finding), now=now)
    return result


# --- Chains -------------------------------------------------------------------------------------------------------


_BROKEN = """
SELECT id, writer_id, seq, last_seq FROM (
  SELECT id, writer_id, seq, previous,
      coalesce(lag(seq) OVER chain, 0) AS last_seq, coalesce(lag(hash) OVER chain, %s) AS last_hash
    FROM ledger_batch WINDOW chain AS (PARTITION BY writer_id ORDER BY seq)
) AS linked WHERE seq <> last_seq + 1 OR previous <> last_hash ORDER BY id LIMIT 1
"""
_HEADS = """
SELECT w.id, w.seq, coalesce(b.seq, 0) FROM ledger_writer w
  LEFT JOIN LATERAL (SELECT seq, hash FROM ledger_batch WHERE writer_id = w.id ORDER BY seq DESC LIMIT 1) b ON true
  WHERE w.seq <> coalesce(b.seq, 0) OR w.head <> coalesce(b.hash, %s) ORDER BY w.id LIMIT 1
"""


def _chains(cursor: Any, counts: dict[str, int]) -> None:
    """Every chain runs without a gap from its first batch to its writer's head."""
    cursor.execute(_BROKEN, (journal.GENESIS,))
    if found := cursor.fetchone():
        batch_id, writer_id, seq, last_seq = found
        if seq != last_seq + 1:
            raise _Wrong(f"ledger_batch {batch_id}", f"is number {seq} of writer {writer_id}, after number {last_seq}")
        raise _Wrong(f"ledger_batch {batch_id}", "does not continue the batch before it")
    cursor.execute(_HEADS, (journal.GENESIS,))
    if found := cursor.fetchone():
        writer_id, head_seq, last_seq = found
        raise _Wrong(f"ledger_writer {writer_id}", f"its head is batch number {head_seq}, its chain ends at {last_seq}")
    cursor.execute("SELECT count(*) FROM ledger_batch")
    counts["batches"] = cursor.fetchone()[0]


def _noted(cursor: Any, noted: Sequence[Head]) -> None:
    for head in noted:
        cursor.execute(
            "SELECT b.hash FROM ledger_batch b JOIN ledger_writer w ON w.id = b.writer_id WHERE w.name = %s AND b.seq = %s",
            (head.writer, head.seq),
        )
        found = cursor.fetchone()
        if found is None or bytes(found[0]) != head.hash:
            raise _Wrong(f"ledger_writer {head.writer}", f"its batch number {head.seq} is not the one that was noted")


class _Batches:
    """The batches whose transfers are being read: few at a time, since a batch's transfers have ids close together."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self._open: dict[int, _Batch] = {}
        self.closed = 0

    def load(self, ids: set[int]) -> None:
        self._cursor.execute(
            "SELECT id, writer_id, seq, transfers, posted_at, previous, hash FROM ledger_batch WHERE id = ANY(%s)",
            (list(ids - self._open.keys()),),
        )
        for batch_id, writer_id, seq, transfers, posted_at, previous, digest in self._cursor.fetchall():
            self._open[batch_id] = _Batch(
                batch_id, writer_id, seq, transfers, posted_at, bytes(previous), bytes(digest), []
            )

    def add(self, *, transfer: str, batch_id: int, posted_at: datetime, digest: bytes) -> None:
        batch = self._open.get(batch_id)
        if batch is None:
            raise _Wrong(transfer, f"is of batch {batch_id}, which does not exist or has all its transfers already")
        if posted_at != batch.posted_at:
            raise _Wrong(transfer, f"was posted at {posted_at}, its batch at {batch.posted_at}")
        batch.digests.append(digest)
        if len(batch.digests) == batch.transfers:
            _close(self._open.pop(batch_id))
            self.closed += 1

    def finish(self, total: int) -> None:
        for batch in self._open.values():
            raise _Wrong(f"ledger_batch {batch.id}", f"has {len(batch.digests)} of its {batch.transfers} transfers")
        if self.closed != total:
            self._cursor.execute(
                "SELECT id FROM ledger_batch b WHERE NOT EXISTS (SELECT FROM ledger_transfer t "
                "WHERE t.id BETWEEN b.first_transfer_id AND b.last_transfer_id AND t.batch_id = b.id) ORDER BY id LIMIT 1"
            )
            raise _Wrong(f"ledger_batch {self._cursor.fetchone()[0]}", "has none of its transfers")


def _close(batch: _Batch) -> None:
    expected = journal.chain(
        previous=batch.previous, writer_id=batch.writer_id, seq=batch.seq,
        posted_at_us=(batch.posted_at - EPOCH) // timedelta(microseconds=1), digests=batch.digests,
    )  # fmt: skip
    if expected != batch.hash:
        raise _Wrong(f"ledger_batch {batch.id}", "its hash is not that of its transfers: one of them was changed")


# --- Transfers and entries ------------------------------------------------------------------------------------------

_TRANSFERS = """
SELECT t.id, t.uuid::text, t.batch_id, t.kind, t.reference, t.posted_at, k.transfer_id, k.digest
  FROM ledger_transfer t LEFT JOIN ledger_transfer_key k ON k.uuid = t.uuid
  WHERE t.id > %s ORDER BY t.id LIMIT %s
"""
_ENTRIES = """
SELECT e.id, e.transfer_id, e.account_id, a.asset_id, e.amount::text
  FROM ledger_entry e LEFT JOIN ledger_account a ON a.id = e.account_id
  WHERE e.id >= %s AND e.id < %s ORDER BY e.id
"""


def _journal(cursor: Any, counts: dict[str, int], progress: Progress) -> None:
    """Every transfer: its entries, its sum, its digest, its key, its batch."""
    cursor.execute("SELECT keys_expired_to FROM ledger_retention")
    expired_to = cursor.fetchone()[0]
    batches, last = _Batches(cursor), 0
    while True:
        cursor.execute(_TRANSFERS, (last, CHUNK))
        rows = cursor.fetchall()
        # Entries between two transfers' ranges belong to no transfer: the range read begins where the last one ended.
        start = (last + 1) * journal.ENTRIES_MAX if last else -(2**63)
        end = (rows[-1][0] + 1) * journal.ENTRIES_MAX if rows else 2**63 - 1
        cursor.execute(_ENTRIES, (start, end))
        entries = _by_transfer(cursor.fetchall())
        batches.load({row[2] for row in rows})
        for row in rows:
            counts["entries"] += _transfer(row, entries.pop(row[0], []), batches, expired_to)
        if entries:
            raise _Wrong(f"ledger_entry {min(entries.values())[0][0]}", "belongs to no transfer")
        if not rows:
            break
        last = rows[-1][0]
        counts["transfers"] += len(rows)
        progress(f"{counts['transfers']} transfers, {counts['entries']} entries")
    batches.finish(counts["batches"])


def _by_transfer(rows: list[tuple[Any, ...]]) -> dict[int, list[tuple[Any, ...]]]:
    found: dict[int, list[tuple[Any, ...]]] = {}
    for row in rows:
        found.setdefault(row[1], []).append(row)
    return found


def _transfer(row: tuple[Any, ...], entries: list[tuple[Any, ...]], batches: _Batches, expired_to: int) -> int:
    transfer_id, uuid, batch_id, kind, reference, posted_at, key_transfer_id, key_digest = row
    name = f"ledger_transfer {transfer_id}"
    assets = {}
    for entry_id, _, account_id, asset_id, _ in entries:
        if asset_id is None:
            raise _Wrong(f"ledger_entry {entry_id}", f"is on account {account_id}, which does not exist")
        assets[account_id] = asset_id
    lines = tuple(Entry(account_id, int(amount)) for _, _, account_id, _, amount in entries)
    transfer = Transfer(UUID(uuid), kind, lines, reference)
    try:
        journal.check(transfer, assets=assets)
    except JournalError as error:
        raise _Wrong(name, str(error)) from error
    digest = journal.digest(transfer)
    if key_digest is None and transfer_id > expired_to:
        raise _Wrong(name, "has no key")
    if key_digest is not None and (bytes(key_digest) != digest or key_transfer_id != transfer_id):
        raise _Wrong(name, "is not what was posted: its digest differs from its key's")
    batches.add(transfer=name, batch_id=batch_id, posted_at=posted_at, digest=digest)
    return len(entries)


def _keys(cursor: Any) -> None:
    cursor.execute(
        "SELECT k.uuid::text, k.transfer_id FROM ledger_transfer_key k LEFT JOIN ledger_transfer t ON t.id = k.transfer_id "
        "WHERE t.uuid IS DISTINCT FROM k.uuid LIMIT 1"
    )
    if found := cursor.fetchone():
        raise _Wrong(
            f"ledger_transfer_key {found[0]}", f"leads to transfer {found[1]}, which is not there or is another"
        )


# --- Accounts -----------------------------------------------------------------------------------------------------

_UNBALANCED = """
SELECT a.id, a.balance::text, coalesce(e.total, 0)::text
  FROM ledger_account a
  LEFT JOIN (SELECT account_id, sum(amount) AS total FROM ledger_entry GROUP BY account_id) e ON e.account_id = a.id
  WHERE a.balance <> coalesce(e.total, 0) ORDER BY a.id LIMIT 1
"""
_ACCOUNTS = "SELECT id, kind, balance::text, held::text FROM ledger_account WHERE id > %s ORDER BY id LIMIT %s"


def _accounts(cursor: Any, counts: dict[str, int]) -> None:
    """Every balance is the sum of its entries and on its kind's side."""
    cursor.execute(_UNBALANCED)
    if found := cursor.fetchone():
        raise _Wrong(f"ledger_account {found[0]}", f"its balance is {found[1]}, its entries sum to {found[2]}")
    last = 0
    while True:
        cursor.execute(_ACCOUNTS, (last, CHUNK))
        rows = cursor.fetchall()
        for (
            account_id,
            kind,
            balance,
            held,
        ) in rows:
            if not Kind(kind).allows(balance=int(balance), held=int(held)):
                raise _Wrong(f"ledger_account {account_id}", f"balance {balance} with {held} held cannot be a {kind}'s")
        if not rows:
            return
        last = rows[-1][0]
        counts["accounts"] += len(rows)


def _held(cursor: Any) -> None:
    for mismatch in reconciliation.held(cursor):
        raise _Wrong(f"ledger_account {mismatch.account_id}", mismatch.detail)
