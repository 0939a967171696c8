"""Are we solvent: what we owe customers against what nodes and banks show, asset by asset.

What we owe is every customer's balance, debts not set off: one customer's debt pays no other; and every confirmed deposit that
is held because its owner's limit has no room for it, though it stands on no customer's account yet. What is seen comes from the
same sources as the ledger's reconciliation. What must never happen here: an asset called covered that nobody could look at.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from exchange.assets import selectors as assets
from exchange.ledger import reconciliation
from exchange.ledger import selectors as ledger
from exchange.ledger.journal import Kind
from wallets import selectors as wallets

_OUTSIDE = (Kind.CHAIN_WALLET, Kind.BANK)
# Looks while the books move: what is owed before and after the sources were asked should be one number.
LOOKS_MAX = 3


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
    pending: int = 0
    parts: Mapping[str, int] = field(default_factory=dict)
    doubtful: bool = False

    @property
    def other(self) -> int:
        """What sources show that do not say how it divides: banks."""
        return self.seen - self.pending - sum(self.parts.values())

    def doubted(self) -> AssetSolvency:
        """The same, its shortfall not believed: the look before did not find it."""
        return replace(self, doubtful=True)

    @property
    def covered(self) -> bool | None:
        """Whether what is seen is enough; None where it is not, but what could not be looked at may make up for it."""
        if self.seen >= self.owed:
            return True
        if self.doubtful or (self.unseen > 0 and self.seen + self.unseen >= self.owed):
            return None
        return False


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
    for _ in range(LOOKS_MAX):
        before = _owed()
        outside, unreachable = reconciliation.seen(now=now)
        balances: dict[tuple[int, Kind], int] = {(t.asset_id, t.kind): t.balance for t in ledger.totals()}
        waiting = wallets.held_deposits()
        after = _owed()
        if before == after:
            break
    by_asset: dict[int, list[reconciliation.Seen]] = defaultdict(list)
    for account in outside:
        by_asset[account.asset_id].append(account)
    reports = [
        # Money came or went while the sources were asked: it is held against what was owed on the better side of that.
        _report(
            asset,
            balances,
            by_asset[asset.id],
            owed=min(before.get(asset.id, 0), after.get(asset.id, 0)),
            waiting=waiting.get(asset.id, 0),
        )
        for asset in assets.assets(enabled_only=False)
        if by_asset[asset.id] or balances.get((asset.id, Kind.CUSTOMER)) or waiting.get(asset.id)
    ]
    return Solvency(assets=tuple(reports), unreachable=tuple(unreachable), made_at=now)


def _owed() -> dict[int, int]:
    owed = Counter({total.asset_id: total.balance for total in ledger.totals() if total.kind == Kind.CUSTOMER})
    owed.update(wallets.held_deposits())
    return dict(owed)


def _report(
    asset: assets.AssetView,
    balances: dict[tuple[int, Kind], int],
    accounts: list[reconciliation.Seen],
    *,
    owed: int,
    waiting: int,
) -> AssetSolvency:
    looks = [account.look for account in accounts if account.look is not None]
    inside = {kind: balances.get((asset.id, kind), 0) for kind in Kind if kind not in _OUTSIDE}
    debts = inside.pop(Kind.RECEIVABLE)
    inside.pop(Kind.CUSTOMER)
    parts: Counter[str] = Counter()
    for look in looks:
        parts.update(look.parts)
    return AssetSolvency(
        asset_id=asset.id,
        code=asset.code,
        decimals=asset.decimals,
        owed=owed,
        debts_to_us=-debts,
        own=sum(inside.values()) - waiting,
        booked=sum(account.booked for account in accounts),
        seen=sum(look.amount_seen + look.pending for look in looks),
        unseen=sum(account.booked for account in accounts if account.look is None),
        as_of=min((look.as_of for look in looks), default=None),
        pending=sum(look.pending for look in looks),
        parts=dict(parts),
    )
