"""How much may lie hot: proposed by one member of staff, put in force by another.

What must never happen here: a share that one person alone put in force, or an old one written over.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation

from django.db import IntegrityError, transaction

from exchange.assets import selectors as assets
from exchange.audit import services as audit
from exchange.core import amounts
from exchange.core.errors import Conflict, InvalidRequest, NotFound
from wallets.models import HotShare
from wallets.models.shares import PPM
from wallets.services.cold_wallets import SamePerson


class ShareInvalid(InvalidRequest):
    code = "share_invalid"


class ShareNotFound(NotFound):
    code = "share_not_found"


class ShareOpen(Conflict):
    """One proposal for this asset waits already."""

    code = "share_open"


def propose(*, asset: str, network: str, percent: str, floor: str, least: str, actor_id: int, now: datetime) -> int:
    """`percent` of all coins may lie hot, `floor` stays hot in any case, `least` is the smallest surplus worth moving. The id.

    Raises ShareInvalid, ShareOpen, AmountInvalid and its like.
    """
    link = assets.asset_network(asset=asset, network=network)
    share = HotShare(
        network_id=link.network_id,
        asset_id=link.asset_id,
        share_ppm=_ppm(percent),
        floor=amounts.parse(floor, decimals=link.decimals, param="floor"),
        least=amounts.parse(least, decimals=link.decimals, param="least"),
        proposed_by=actor_id,
        proposed_at=now,
    )
    if share.least <= 0:
        raise ShareInvalid("The smallest surplus worth moving is more than nothing.", param="least")
    try:
        with transaction.atomic():
            share.save()
            _record("propose", share, actor_id, now)
    except IntegrityError:
        raise ShareOpen("Another change for this asset waits for its second pair of eyes.") from None
    return share.id


def _ppm(percent: str) -> int:
    try:
        value = Decimal(percent.strip().removesuffix("%").strip())
    except InvalidOperation:
        raise ShareInvalid("A share is a percentage, such as 5 or 2.5.", param="percent") from None
    ppm = value * (PPM // 100)
    if not value.is_finite() or not 0 <= ppm <= PPM or ppm != int(ppm):
        raise ShareInvalid("A share is between 0 and 100 percent, with four decimal places at most.", param="percent")
    return int(ppm)


def approve(*, share_id: int, actor_id: int, now: datetime) -> None:
    """Puts a share in force; the one before it stays as history. Raises ShareNotFound, SamePerson."""
    with transaction.atomic():
        share = _open(share_id)
        if share.proposed_by == actor_id:
            raise SamePerson("Whoever proposed a share does not approve it.")
        HotShare.objects.filter(
            network_id=share.network_id, asset_id=share.asset_id, approved_at__isnull=False, replaced_at=None
        ).update(replaced_at=now)
        share.approved_by, share.approved_at = actor_id, now
        share.save(update_fields=["approved_by", "approved_at"])
        _record("approve", share, actor_id, now)


def withdraw(*, share_id: int, actor_id: int, now: datetime) -> None:
    """Takes an open proposal back. Raises ShareNotFound."""
    with transaction.atomic():
        share = _open(share_id)
        share.replaced_at = now
        share.save(update_fields=["replaced_at"])
        _record("withdraw", share, actor_id, now)


def in_force(network_id: int) -> list[HotShare]:
    """The shares of a network, one an asset at most."""
    return list(
        HotShare.objects.filter(network_id=network_id, approved_at__isnull=False, replaced_at=None).order_by("asset_id")
    )


def _open(share_id: int) -> HotShare:
    share = HotShare.objects.select_for_update().filter(pk=share_id, approved_at=None, replaced_at=None).first()
    if share is None:
        raise ShareNotFound("There is no such open proposal.")
    return share


def _record(what: str, share: HotShare, actor_id: int, now: datetime) -> None:
    audit.record(
        actor_id=actor_id,
        action=f"wallets.hot_share.{what}",
        subject=f"hot_share:{share.id}",
        after={
            "network_id": share.network_id,
            "asset_id": share.asset_id,
            "share_ppm": share.share_ppm,
            "floor": str(share.floor),
            "least": str(share.least),
        },
        now=now,
    )
