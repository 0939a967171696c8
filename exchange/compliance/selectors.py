"""Are we solvent: what we owe customers against what nodes and banks show, asset by asset.

What we owe is every customer's balance, debts not set off: one customer's debt pays no other. What is seen comes from the
same sources as the ledger's reconciliation. What must never happen here: an asset called covered that nobody could look at.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from exchange.assets import selectors as assets
from exchange.ledger import reconciliation
from exchange.ledger import selectors as ledger
from exchange.ledger.journal import Kind

_OUTSIDE = (Kind.CHAIN_WALLET, Kind.BANK)


@dataclass(frozen=True, slots=True)
class AssetSolvency:
    """One asset, in base units. `seen` counts what could be looked at, `unseen` what the books say of the rest."""

    asset_id: int
    code: str
    decimals: int
    owed: int
    debts_to_us: int
    own: int
    booked: int
    seen: int
    unseen: int
    as_of: datetime | None

    @property
    def covered(self) -> bool | None:
        """Whether what is seen is enough; None where it is not, but not everything could be looked at."""
        if self.seen >= self.owed:
            return True
        return None if self.unseen else False


@dataclass(frozen=True, slots=True)
class Solvency:
    """Every asset that is owed or held, and the sources that did not answer while this was made."""

    assets: tuple[AssetSolvency, ...]
    unreachable: tuple[str, ...]
    made_at: datetime

    @property
    def solvent(self) -> bool | None:
        """True only where every asset is covered; None where one could not be told and none is short."""
        answers = {asset.covered for asset in self.assets}
        return False if False in answers else None if None in answers else True


def solvency(*, now: datetime) -> Solvency:
    """The report. Asks the nodes, so it takes as long as they do."""
    outside, unreachable = reconciliation.seen(now=now)
    balances: dict[tuple[int, Kind], int] = {(t.asset_id, t.kind): t.balance for t in ledger.totals()}
    by_asset: dict[int, list[reconciliation.Seen]] = defaultdict(list)
    for account in outside:
        by_asset[account.asset_id].append(account)
    reports = [
        _report(asset, balances, by_asset[asset.id])
        for asset in assets.assets(enabled_only=False)
        if by_asset[asset.id] or balances.get((asset.id, Kind.CUSTOMER))
    ]
    return Solvency(assets=tuple(reports), unreachable=tuple(unreachable), made_at=now)


def _report(
    asset: assets.AssetView, balances: dict[tuple[int, Kind], int], accounts: list[reconciliation.Seen]
) -> AssetSolvency:
    looks = [account.look for account in accounts if account.look is not None]
    inside = {kind: balances.get((asset.id, kind), 0) for kind in Kind if kind not in _OUTSIDE}
    owed, debts = inside.pop(Kind.CUSTOMER), inside.pop(Kind.RECEIVABLE)
    return AssetSolvency(
        asset_id=asset.id,
        code=asset.code,
        decimals=asset.decimals,
        owed=owed,
        debts_to_us=-debts,
        own=sum(inside.values()),
        booked=sum(account.booked for account in accounts),
        seen=sum(look.amount_seen + look.pending for look in looks),
        unseen=sum(account.booked for account in accounts if account.look is None),
        as_of=min((look.as_of for look in looks), default=None),
    )
