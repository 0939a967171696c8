"""Every ten minutes: what nodes and banks show against what we owe; written down, and acted on.

A shortfall stops withdrawals for everybody and is told to staff; what cannot be told is written down as that, and told once it
has lasted an hour. What must never happen here: a shortfall that is only a look at moving books (it counts when two looks in a
row find it), an outage taken for a theft, or a stop lifted by itself.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.db import transaction

from exchange.compliance import selectors
from exchange.compliance.models import SolvencyAsset, SolvencyLook, Verdict
from exchange.compliance.selectors import AssetSolvency, Solvency
from exchange.core import amounts
from exchange.ledger.services import stops
from exchange.outbox import services as outbox

log = structlog.get_logger(__name__)
STOP_SOURCE = "solvency"
UNKNOWN_ALLOWED = timedelta(hours=1)
VERDICTS = {True: Verdict.COVERED, False: Verdict.SHORT, None: Verdict.UNKNOWN}


def check(*, now: datetime) -> Solvency:
    """Looks, writes down, raises the alarm where there is one to raise; what was found. Takes as long as the nodes do."""
    report = selectors.solvency(now=now)
    if report.solvent is False:
        # Customers move money while nodes are asked; a real hole is still there a moment later.
        report = _both(report, selectors.solvency(now=now))
    with transaction.atomic():
        look = SolvencyLook.objects.create(
            made_at=now, verdict=VERDICTS[report.solvent], unreachable=list(report.unreachable)
        )
        for asset in report.assets:
            alarm = _alarm(asset, report, now=now)
            SolvencyAsset.objects.create(look=look, alarm=alarm, **_columns(asset))
    return report


def _both(first: Solvency, second: Solvency) -> Solvency:
    """The second look, with an asset short only where the first one found it short, too."""
    short_before = {asset.asset_id for asset in first.assets if asset.covered is False}
    kept = tuple(
        asset if asset.covered is not False or asset.asset_id in short_before else asset.doubted()
        for asset in second.assets
    )
    return Solvency(kept, second.unreachable, second.made_at)


def _columns(asset: AssetSolvency) -> dict[str, object]:
    return {
        "asset_id": asset.asset_id,
        "verdict": VERDICTS[asset.covered],
        "owed": asset.owed,
        "seen": asset.seen,
        "hot": asset.parts.get("hot", 0),
        "cold": asset.parts.get("cold", 0),
        "deposit": asset.parts.get("deposit", 0),
        "other": asset.other,
        "pending": asset.pending,
        "unseen": asset.unseen,
        "own": asset.own,
        "debts_to_us": asset.debts_to_us,
    }


def _alarm(asset: AssetSolvency, report: Solvency, *, now: datetime) -> str:
    """What this look raised for the asset: "short", "unknown" or ""."""
    if asset.covered is False:
        return Verdict.SHORT if _stop(asset, now=now) else ""
    if asset.covered is None and _unknown_too_long(asset.asset_id, now=now):
        log.error("solvency_unknown", asset=asset.code, unreachable=list(report.unreachable))
        _tell("unknown", asset, now=now, sources=list(report.unreachable))
        return Verdict.UNKNOWN
    return ""


def _stop(asset: AssetSolvency, *, now: datetime) -> bool:
    """Stops withdrawals; True when this is news. While the stop stands, it has been told."""
    lacking = amounts.format(asset.owed - asset.seen, decimals=asset.decimals)
    log.critical("insolvent", asset=asset.code, owed=str(asset.owed), seen=str(asset.seen))
    _, made = stops.stop_once(
        scope="withdrawals",
        source=f"{STOP_SOURCE}:{asset.code}",
        reason=f"{asset.code}: {lacking} less is seen at nodes and banks than customers are owed",
        actor=None,
        now=now,
    )
    if made:
        _tell("short", asset, now=now, sources=[])
    return made


def _unknown_too_long(asset_id: int, *, now: datetime) -> bool:
    """Whether nobody could tell for over an hour, and this spell has not been told yet."""
    rows = SolvencyAsset.objects.filter(asset_id=asset_id).order_by("-id")
    told = rows.exclude(verdict=Verdict.UNKNOWN).values_list("id", flat=True).first()
    spell = rows.filter(verdict=Verdict.UNKNOWN, id__gt=told or 0)
    if spell.filter(alarm=Verdict.UNKNOWN).exists():
        return False
    since = spell.order_by("id").values_list("look__made_at", flat=True).first()
    return since is not None and now - since > UNKNOWN_ALLOWED


def _tell(what: str, asset: AssetSolvency, *, now: datetime, sources: list[str]) -> None:
    outbox.append(
        topic=f"compliance.solvency_{what}",
        key="solvency",
        payload={
            "asset": asset.code,
            "asset_id": asset.asset_id,
            "owed": amounts.format(asset.owed, decimals=asset.decimals),
            "seen": amounts.format(max(0, asset.seen), decimals=asset.decimals),
            "sources": sources,
        },
        now=now,
    )
