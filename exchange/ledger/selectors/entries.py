"""What was posted: an account's history and a transfer whole, read by ranges of ids: the last page costs what the first does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.db import connection

from exchange.ledger.journal import ENTRIES_MAX
from exchange.ledger.models import Entry, Transfer, TransferKey

HISTORY_MAX = 500


@dataclass(frozen=True)
class Movement:
    """One entry of an account, with the transfer it belongs to. `id` is the cursor for `before`."""

    id: int
    transfer_id: int
    transfer_uuid: UUID
    kind: str
    reference: str
    amount: int
    posted_at: datetime


@dataclass(frozen=True)
class Posting:
    """One entry of one of several accounts. `id` is the cursor."""

    id: int
    account_id: int
    kind: str
    reference: str
    amount: int
    posted_at: datetime


@dataclass(frozen=True)
class Line:
    """One entry of a transfer."""

    account_id: int
    asset_id: int
    amount: int


@dataclass(frozen=True)
class TransferView:
    """A transfer with its entries, in their order."""

    id: UUID
    transfer_id: int
    kind: str
    reference: str
    posted_at: datetime
    entries: tuple[Line, ...]


def history(*, account_id: int, before: int | None = None, limit: int = 50) -> list[Movement]:
    """The account's entries, newest first; at most 500 at once."""
    rows = Entry.objects.filter(account_id=account_id).select_related("transfer").order_by("-id")
    if before is not None:
        rows = rows.filter(id__lt=before)
    return [
        Movement(
            id=e.id, transfer_id=e.transfer_id, transfer_uuid=e.transfer.uuid, kind=e.transfer.kind,
            reference=e.transfer.reference, amount=e.amount, posted_at=e.transfer.posted_at,
        )
        for e in rows[: max(1, min(limit, HISTORY_MAX))]
    ]  # fmt: skip


# Row by row, each from its index: a plan that joins the two tables reads millions of transfers for a page of entries, and one
# that walks along the ids alone reads everybody's entries to find those of an account that has few. Compared and ordered by
# both, only the index of both will do.
_OF_EACH = """
SELECT e.id, e.account_id, t.kind, t.reference, e.amount::text, t.posted_at
FROM unnest(%(accounts)s::bigint[], %(above)s::bigint[], %(below)s::bigint[]) AS b (account_id, above, below)
CROSS JOIN LATERAL (
  SELECT f.id, f.account_id, f.transfer_id, f.amount FROM ledger_entry f
  WHERE (f.account_id, f.id) > (b.account_id, b.above) AND (f.account_id, f.id) < (b.account_id, b.below) {within}
  ORDER BY f.account_id {order}, f.id {order} LIMIT %(limit)s
) AS e
CROSS JOIN LATERAL (SELECT kind, reference, posted_at FROM ledger_transfer WHERE id = e.transfer_id OFFSET 0) AS t
ORDER BY e.id {order} LIMIT %(limit)s
"""
_WITHIN = """AND EXISTS (SELECT FROM (SELECT posted_at FROM ledger_transfer WHERE id = f.transfer_id OFFSET 0) AS w
    WHERE w.posted_at >= %(since)s AND w.posted_at < %(until)s OFFSET 0)"""
_BEGINNING, _END = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


def postings(
    *,
    between: Mapping[int, tuple[int, int]],
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int,
    oldest_first: bool = False,
) -> list[Posting]:
    """The entries of these accounts, by account those with an id above the first and below the second, posted at `since` or later
    and before `until`; newest first. One query: give bounds that leave little to pass over."""
    asked = {
        "accounts": list(between), "above": [above for above, _ in between.values()],
        "below": [below for _, below in between.values()], "limit": limit,
        "since": since or _BEGINNING, "until": until or _END,
    }  # fmt: skip
    with connection.cursor() as cursor:
        within = _WITHIN if since or until else ""
        cursor.execute(_OF_EACH.format(within=within, order="ASC" if oldest_first else "DESC"), asked)
        return [Posting(row[0], row[1], row[2], row[3], int(row[4]), row[5]) for row in cursor.fetchall()]


def all_postings(*, between: Mapping[int, tuple[int, int]], at_once: int = 5_000) -> Iterator[Posting]:
    """As `postings`, the whole of them, oldest first, a piece at a time."""
    reached = 0
    while page := postings(
        between={account: (max(above, reached), below) for account, (above, below) in between.items()},
        limit=at_once, oldest_first=True,
    ):  # fmt: skip
        yield from page
        reached = page[-1].id


def transfer(*, id: UUID) -> TransferView | None:
    """The transfer that a client's UUID stands for; found for as long as its key is kept."""
    key = TransferKey.objects.filter(uuid=id).first()
    if key is None:
        return None
    row = Transfer.objects.get(id=key.transfer_id)
    first = row.id * ENTRIES_MAX
    rows = Entry.objects.filter(id__gte=first, id__lt=first + ENTRIES_MAX).select_related("account").order_by("id")
    return TransferView(
        id=row.uuid, transfer_id=row.id, kind=row.kind, reference=row.reference, posted_at=row.posted_at,
        entries=tuple(Line(account_id=e.account_id, asset_id=e.account.asset_id, amount=e.amount) for e in rows),
    )  # fmt: skip
