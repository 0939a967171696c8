"""What a customer did, a page at a time (cursors, never page numbers), by kind, asset and day.

"All" is the book itself: each line that moved a balance. What must never happen here: a list that reads more than a page, however
far back its day is, or a row of another customer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from exchange.assets import selectors as assets
from exchange.core import times
from exchange.ledger import selectors as ledger
from exchange.site.selectors import bank
from exchange.site.words_of_money import movement
from trading import selectors as trading
from wallets import selectors as wallets

PAGE = 25
KINDS = ("all", "deposits", "withdrawals", "trades", "bank")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the list is narrowed to; "" and None are not at all. Days are UTC, both included. `before` is the cursor."""

    kind: str = "all"
    asset: str = ""
    since: date | None = None
    until: date | None = None
    before: str = ""

    @property
    def narrowed(self) -> bool:
        return bool(self.asset or self.since or self.until)

    def query(self, **other: str) -> str:
        """These as the query of an address, with others in their place."""
        plain = {
            "kind": self.kind, "asset": self.asset, "from": self.since.isoformat() if self.since else "",
            "to": self.until.isoformat() if self.until else "", **other,
        }  # fmt: skip
        return urlencode({name: value for name, value in plain.items() if value})

    @property
    def rows_template(self) -> str:
        return f"site/parts/history/{self.kind}.html"

    @property
    def tabs(self) -> dict[str, str]:
        return {kind: self.query(kind=kind) for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Movement:
    """A line of the book on one of the customer's accounts; `word` says what it was, in the reader's language."""

    id: int
    asset: str
    decimals: int
    amount: int
    kind: str
    word: str
    reference: str
    posted_at: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """`older` is the query of the next page, "" on the last one. `assets` are the codes one may narrow to."""

    rows: tuple[Any, ...]
    older: str
    assets: tuple[str, ...]


def history(*, user_id: int, wanted: Wanted) -> Page:
    """One page, newest first. The number of queries depends on the kind and on nothing else."""
    listed = assets.assets(enabled_only=False)
    if wanted.asset and wanted.asset not in {each.code for each in listed}:
        return Page((), "", _codes(listed))
    found = _READERS[wanted.kind](user_id, wanted)
    rows = tuple(found[:PAGE])
    older = wanted.query(before=str(rows[-1].id)) if len(found) > PAGE else ""
    return Page(rows, older, _codes(listed))


def _codes(listed: Sequence[assets.AssetView]) -> tuple[str, ...]:
    return tuple(each.code for each in listed if each.enabled)


def _all(user_id: int, wanted: Wanted) -> list[Movement]:
    known = {each.id: each for each in assets.assets(enabled_only=False)}
    found = ledger.days.bounds(owner_id=user_id, since=wanted.since or date.min, until=wanted.until or date.max)
    of = {bounds.account_id: asset_id for asset_id, bounds in found.items()}
    cursor = _integer(wanted.before)
    between = {
        bounds.account_id: (bounds.above, min(bounds.below, cursor or bounds.below))
        for asset_id, bounds in found.items()
        if not wanted.asset or known[asset_id].code == wanted.asset
    }
    rows = ledger.postings(between=between, limit=PAGE + 1, **_moments(wanted))
    return [_movement(row, known[of[row.account_id]]) for row in rows]


def _movement(row: ledger.Posting, asset: assets.AssetView) -> Movement:
    return Movement(
        id=row.id,
        asset=asset.code,
        decimals=asset.decimals,
        amount=row.amount,
        kind=row.kind,
        word=movement(row.kind),
        reference=row.reference,
        posted_at=row.posted_at,
    )


def _moments(wanted: Wanted) -> dict[str, datetime | None]:
    return {
        "since": times.begins(wanted.since) if wanted.since else None,
        "until": times.ends(wanted.until) if wanted.until else None,
    }


def _deposits(user_id: int, wanted: Wanted) -> list[Any]:
    return wallets.deposits(
        user_id, before=_uuid(wanted.before), asset=wanted.asset or None, limit=PAGE + 1, **_moments(wanted)
    )


def _withdrawals(user_id: int, wanted: Wanted) -> list[Any]:
    return wallets.withdrawals(
        user_id, before=_uuid(wanted.before), asset=wanted.asset or None, limit=PAGE + 1, **_moments(wanted)
    )


def _trades(user_id: int, wanted: Wanted) -> list[Any]:
    """Of an asset: those of each market it is traded in, put together."""
    asked = {"before": _integer(wanted.before), "limit": PAGE + 1, **_moments(wanted)}
    if not wanted.asset:
        return list(trading.fills(user_id, **asked))
    symbols = [each.symbol for each in trading.markets() if wanted.asset in each.symbol.split("-")]
    rows = [row for symbol in symbols for row in trading.fills(user_id, market=symbol, **asked)]
    return sorted(rows, key=lambda row: row.id, reverse=True)


def _bank(user_id: int, wanted: Wanted) -> list[Any]:
    return bank.transfers(
        user_id=user_id, before=_integer(wanted.before), asset=wanted.asset, since=wanted.since, until=wanted.until,
        limit=PAGE + 1,
    )  # fmt: skip


_READERS = {"all": _all, "deposits": _deposits, "withdrawals": _withdrawals, "trades": _trades, "bank": _bank}


def _integer(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
