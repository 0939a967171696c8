"""Posting by the thousand: raw psycopg2 inside the caller's transaction, for the engine and for this room's own services.

Two round trips: `lock` every account the batch may touch, in id order; judge; then `post`, which is the database's one door
(the function ledger_post). The database moves the balances, refuses what does not sum to zero or breaks a kind's sign, and
carries the writer's hash chain on.
What must never happen here: the ORM, a commit, a retry, or a post to accounts that were not locked before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain as concatenated
from typing import Any, NamedTuple

from exchange.core.errors import NotFound
from exchange.ledger import journal
from exchange.ledger.journal import Transfer

ACCOUNTS_MAX = 20_000  # one lock


class UnknownAccount(NotFound):
    """A ledger account that does not exist."""

    code = "ledger_account_not_found"


class Locked(NamedTuple):
    """An account as it stands under the lock, in base units."""

    balance: int
    held: int
    frozen: bool
    asset_id: int
    kind: str

    @property
    def available(self) -> int:
        return self.balance - self.held


class BatchReceipt(NamedTuple):
    """What was posted. `transfer_ids` in the order given; the first three are None when there were no transfers."""

    batch_id: int | None
    seq: int | None
    hash: bytes | None
    transfer_ids: list[int]


LOCK = (
    "SELECT id, balance::text, held::text, frozen, asset_id, kind FROM ledger_account "
    "WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE"
)
LOOK = "SELECT id, balance::text, held::text, frozen, asset_id, kind FROM ledger_account WHERE id = ANY(%s::bigint[])"
POST = (
    "SELECT batch_id, seq, hash, transfer_ids FROM ledger_post(%s, %s, %s::uuid[], %s::text[], %s::text[], %s::bytea, "
    "%s::integer[], %s::bigint[], %s::numeric[], %s::bigint[], %s::numeric[])"
)


def lock(cursor: Any, account_ids: Iterable[int], *, said: str = LOCK, values: Sequence[Any] = ()) -> dict[int, Locked]:
    """Lock all the accounts a transaction will touch, at once and in id order. Raises UnknownAccount.

    Call it once a transaction, before any other lock of the ledger: a second call may deadlock with another session's first.
    `said` is LOCK as a session has prepared it; statements of the caller's own may stand before it, with their `values`.
    """
    wanted = set(account_ids)
    if len(wanted) > ACCOUNTS_MAX:
        raise ValueError(f"at most {ACCOUNTS_MAX} accounts are locked at once, not {len(wanted)}")
    return _found(cursor, said, wanted, values)


def look(cursor: Any, account_ids: Iterable[int]) -> dict[int, Locked]:
    """The same accounts as they were last committed, locked by nobody: good for a guess that a lock will prove, and for no
    more. Raises UnknownAccount."""
    return _found(cursor, LOOK, set(account_ids))


def post(
    cursor: Any,
    *,
    writer: str,
    transfers: Sequence[Transfer],
    held_deltas: Mapping[int, int] | None = None,
    now: datetime,
) -> BatchReceipt:
    """Post the transfers and move what is held, as one batch of `writer`'s chain; the last thing a transaction does here.

    Every account must be locked already. Raises psycopg2.IntegrityError when the database refuses: a sum that is not zero,
    a sign against the kind, more held than there is, or a transfer id that was used before.
    """
    if len(transfers) > journal.TRANSFERS_MAX:
        raise ValueError(f"at most {journal.TRANSFERS_MAX} transfers a batch, not {len(transfers)}")
    cursor.execute(POST, parameters(writer=writer, transfers=transfers, held_deltas=held_deltas or {}, now=now))
    batch_id, seq, digest, transfer_ids = cursor.fetchone()
    return BatchReceipt(batch_id, seq, bytes(digest) if digest is not None else None, transfer_ids or [])


def parameters(
    *, writer: str, transfers: Sequence[Transfer], held_deltas: Mapping[int, int], now: datetime
) -> tuple[Any, ...]:
    """The arguments of ledger_post. Arrays go as text literals: psycopg2's own lists cost the parser far more."""
    places: list[int] = []
    for index, transfer in enumerate(transfers):
        count = len(transfer.entries)
        if not 2 <= count <= journal.ENTRIES_MAX:
            raise journal.JournalError("entries", f"A transfer has 2 to {journal.ENTRIES_MAX} entries, not {count}.")
        first = index * journal.ENTRIES_MAX
        places.extend(range(first, first + count))
    lines = list(concatenated.from_iterable([transfer.entries for transfer in transfers]))
    moved = {account_id: delta for account_id, delta in held_deltas.items() if delta}
    return (
        writer,
        now,
        "{" + ",".join([transfer.id.hex for transfer in transfers]) + "}",
        "{" + ",".join([transfer.kind for transfer in transfers]) + "}",
        "{" + ",".join([_quoted(transfer.reference) for transfer in transfers]) + "}",
        "\\x" + b"".join([journal.digest(transfer) for transfer in transfers]).hex(),
        array(places),
        array([line[0] for line in lines]),
        array([line[1] for line in lines]),
        array(moved),
        array(moved.values()),
    )


def _found(cursor: Any, sql: str, wanted: set[int], values: Sequence[Any] = ()) -> dict[int, Locked]:
    cursor.execute(sql, (*values, array(wanted)))
    found = {
        account_id: Locked(int(balance), int(held), frozen, asset_id, kind)
        for account_id, balance, held, frozen, asset_id, kind in cursor.fetchall()
    }
    if len(found) != len(wanted):
        raise UnknownAccount(f"There is no ledger account {min(wanted - found.keys())}.")
    return found


def array(numbers: Iterable[int]) -> str:
    """A PostgreSQL array of whole numbers, as text."""
    return "{" + ",".join(map(str, numbers)) + "}"


def _quoted(text: str) -> str:
    """An element of a PostgreSQL text array, as text."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
