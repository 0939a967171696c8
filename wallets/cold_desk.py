"""What staff see of hot and cold: each asset's share as a bar, each wallet, each proposal with everything to compare.

Read-only, for the back office alone. What must never happen here: a write, or an amount as anything but decimal text.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from exchange.accounts import selectors as accounts
from exchange.assets import selectors as assets
from exchange.assets.selectors import AssetNetworkView
from exchange.core import amounts
from wallets import routes
from wallets.models import ColdProposal, ColdWallet, HotLevel, HotShare, Payout, PayoutVersion
from wallets.models.shares import PPM
from wallets.services import cold_wallets, returns

# What a bar is wide, in its own units.
BAR = 1_000


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a bar."""

    name: str
    start: int
    width: int
    amount: str
    percent: str


@dataclass(frozen=True, slots=True)
class LevelView:
    """One asset on one network as the last look found it. `wanted` is what should come back, "" when enough is hot."""

    asset: str
    network: str
    pieces: tuple[Piece, ...]
    mark: int
    target: str
    floor: str
    share: str
    leaving: str
    wanted: str
    looked_at: datetime
    low_since: datetime | None
    waiting: str


@dataclass(frozen=True, slots=True)
class Person:
    """Who did a step, and when."""

    step: str
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """An input or output of a proposal's transaction."""

    what: str
    amount: str
    where: str


@dataclass(frozen=True, slots=True)
class ProposalView:
    """A proposal with all that is compared before it is approved, and before it is signed."""

    amount: str
    network: str
    wallet: str
    needs: str
    lines: tuple[Line, ...]
    fee: str
    steps: tuple[Person, ...]
    signed_by: tuple[str, ...]
    missing: int
    state: str
    txid: str
    open: bool
    approved: bool


def levels() -> list[LevelView]:
    """Every asset that has a share in force and was looked at."""
    shares = {
        (share.network_id, share.asset_id): share
        for share in HotShare.objects.filter(approved_at__isnull=False, replaced_at=None)
    }
    links = {(link.network_id, link.asset_id): link for link in assets.asset_networks(enabled_only=False)}
    rows = HotLevel.objects.order_by("network_id", "asset_id")
    return [_level(row, shares[key], links[key]) for row in rows if (key := (row.network_id, row.asset_id)) in shares]


def _level(row: HotLevel, share: HotShare, link: AssetNetworkView) -> LevelView:
    def text(units: int) -> str:
        return f"{amounts.format(max(0, units), decimals=link.decimals)} {link.asset_code}"

    total = max(1, row.hot + row.deposit + row.cold)
    pieces, start = [], 0
    for name, units in (("hot", row.hot), ("deposit", row.deposit), ("cold", row.cold)):
        width = max(0, units) * BAR // total
        pieces.append(Piece(name, start, width, text(units), _percent(units, total)))
        start += width
    reachable = row.hot + row.deposit - row.leaving
    wanted = max(0, min(row.target - reachable, row.cold)) if reachable < share.floor else 0
    return LevelView(
        asset=link.asset_code,
        network=link.network,
        pieces=tuple(pieces),
        mark=min(BAR, row.target * BAR // total),
        target=text(row.target),
        floor=text(int(share.floor)),
        share=percent(share.share_ppm),
        leaving=text(row.leaving) if row.leaving else "",
        wanted=amounts.format(wanted, decimals=link.decimals) if wanted else "",
        looked_at=row.looked_at,
        low_since=row.low_since,
        waiting=row.waiting,
    )


def _percent(units: int, total: int) -> str:
    tenths = max(0, units) * 1_000 // total
    return f"{tenths // 10}.{tenths % 10} %"


def percent(ppm: int) -> str:
    """Parts per million as people write them."""
    whole, rest = divmod(ppm * 100, PPM)
    digits = f"{rest * 10_000 // PPM:04d}".rstrip("0")
    return f"{whole}{'.' + digits if digits else ''} %"


def wallet(row: ColdWallet) -> dict[str, Any]:
    """What a cold wallet's page shows beside its columns. The first address only once it need not be read off the device."""
    approved = row.approved_at is not None
    used = row.addresses.order_by("branch", "index")
    return {
        "wallet": row,
        "network_code": routes.codes()[row.network_id],
        "first_address": cold_wallets.first_address(row) if approved else "",
        "addresses": [(f"{each.branch}/{each.index}", each.address) for each in used[:50]],
        "typed_length": cold_wallets.TYPED_LENGTH,
    }


def proposal(row: ColdProposal) -> ProposalView:
    """One proposal. Reads row.payout and row.cold."""
    payout, version = row.payout, PayoutVersion.objects.filter(payout_id=row.payout_id).latest("number")
    the_routes = routes.of(routes.codes()[payout.network_id])
    link, own = the_routes.by_asset(payout.asset_id), the_routes.own_coin
    progress = returns.progress(row.payout_id)
    return ProposalView(
        amount=f"{amounts.format(int(payout.amount or 0), decimals=link.decimals)} {link.asset_code}",
        network=link.network,
        wallet=row.cold.name,
        needs=_needs(row.cold),
        lines=_lines(version.unsigned, link, own),
        fee=f"{amounts.format(int(version.fee or 0), decimals=own.decimals)} {own.asset_code}",
        steps=_steps(row),
        signed_by=progress.signed_by,
        missing=progress.missing,
        state=state(row),
        txid=version.txid,
        open=is_open(row),
        approved=row.approved_at is not None,
    )


def is_open(row: ColdProposal) -> bool:
    """Whether anything may still be done to it. Reads row.payout."""
    return row.cancelled_at is None and row.signed_at is None and row.payout.state in ("reserved", "signing")


def is_refused(row: ColdProposal) -> bool:
    """Whether it is signed and no node takes it: it can still be given up. Reads row.payout."""
    return row.cancelled_at is None and returns.is_refused(row.payout)


def state(row: ColdProposal) -> str:
    """Where a proposal stands, in the words of who waits for whom. Reads row.payout."""
    if row.cancelled_at is not None:
        return "cancelled"
    if is_open(row):
        return "waits for signatures" if row.approved_at else "waits for a second pair of eyes"
    if is_refused(row):
        return "signed, and no node takes it"
    return Payout.State(row.payout.state).label


def _needs(row: ColdWallet) -> str:
    if row.kind == ColdWallet.Kind.MULTISIG:
        return f"{row.threshold} of {len(cold_wallets.descriptor_of(row).keys)} keys must sign"
    return "one key must sign"


def _lines(unsigned: dict[str, Any], link: AssetNetworkView, own: AssetNetworkView) -> tuple[Line, ...]:
    if unsigned["family"] == "evm":
        units = link.from_chain(int(unsigned["pays"]["amount"]))
        text = f"{amounts.format(units, decimals=link.decimals)} {link.asset_code}"
        return (
            Line("from", f"nonce {unsigned['nonce']}", unsigned["from"]),
            Line("to the hot wallet", text, unsigned["pays"]["address"]),
        )

    def coins(units: str) -> str:
        return f"{amounts.format(int(units), decimals=own.decimals)} {own.asset_code}"

    spent = [Line("spends", coins(coin["amount"]), f"{coin['txid']}:{coin['vout']}") for coin in unsigned["inputs"]]
    made = [
        Line(
            "back to cold" if output["path"].startswith("cold/") else "to the hot wallet",
            coins(output["amount"]),
            output["address"],
        )
        for output in unsigned["outputs"]
    ]
    return (*spent, *made)


def _steps(row: ColdProposal) -> tuple[Person, ...]:
    done = [
        ("proposed", row.created_by, row.created_at),
        ("approved", row.approved_by, row.approved_at),
        ("signed file brought", row.signed_by, row.signed_at),
    ]
    people = accounts.people({actor for _, actor, at in done if actor is not None})
    steps = [
        Person(step, people[actor].email if actor in people else f"user {actor}", at)
        for step, actor, at in done
        if at is not None
    ]
    if row.exported_at is not None:
        steps.insert(2, Person("file given out", "", row.exported_at))
    if row.cancelled_at is not None:
        steps.append(Person("cancelled", "", row.cancelled_at))
    return tuple(steps)
