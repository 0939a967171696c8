"""A customer's bank transfers as the pages list them. Read only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from exchange.assets import selectors as assets
from exchange.fiat import selectors as fiat

UNDER_WAY = ("announced", "held")


@dataclass(frozen=True, slots=True)
class Transfer:
    """One transfer, in base units; `settled` is None while nothing has arrived."""

    id: int
    asset: str
    decimals: int
    reference: str
    announced: int
    settled: int | None
    state: str
    held_for: str
    created_at: datetime
    settled_at: datetime | None


def transfers(
    *,
    user_id: int,
    before: int | None = None,
    asset: str = "",
    since: date | None = None,
    until: date | None = None,
    limit: int,
) -> list[Transfer]:
    """Newest first; announced on these days (UTC). Two queries."""
    known = {each.id: each for each in assets.assets(enabled_only=False)}
    wanted = next((each.id for each in known.values() if each.code == asset), 0) if asset else None
    rows = fiat.deposits(user_id, before=before, asset_id=wanted, since=since, until=until, limit=limit)
    return [_transfer(row, known[row.asset_id]) for row in rows]


def under_way(*, user_id: int) -> tuple[Transfer, ...]:
    """Those that are not credited yet and may be. Two queries."""
    known = {each.id: each for each in assets.assets(enabled_only=False)}
    return tuple(_transfer(row, known[row.asset_id]) for row in fiat.deposits(user_id, states=UNDER_WAY, limit=50))


def _transfer(row: fiat.BankDepositView, asset: assets.AssetView) -> Transfer:
    return Transfer(
        id=row.id,
        asset=asset.code,
        decimals=asset.decimals,
        reference=row.reference,
        announced=row.announced,
        settled=row.settled,
        state=row.state,
        held_for=row.held_for,
        created_at=row.created_at,
        settled_at=row.settled_at,
    )
