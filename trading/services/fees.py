"""Fee tiers: what a customer pays by what they traded in the last thirty days, and how the engine comes to know it.

A tier holds from a volume on; below the lowest the market's own rates hold. What counts in a fill is the better of the two,
so a tier never makes trading dearer. The volume is in US dollars: each fill at the rate of the hour in which it was counted,
cut to the cent. It is kept by day and customer and only ever added to, from trades that no run before has seen.
What must never happen here: a volume worked out anew from all trades, a fill counted twice, a float, or rates by which the
house pays a maker more than it takes from the taker.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from celery import current_app
from django.db import connection, transaction
from django.db.models import Min

from exchange.audit.services import record
from exchange.core import amounts
from exchange.core.errors import DomainError, InvalidRequest, NotFound
from trading import wire
from trading.engine.rules import PPM, fees_are_possible
from trading.models import AccountFee, FeeTier, Market
from trading.selectors import USD_DECIMALS
from trading.services import catalogue, line, volumes

log = structlog.get_logger(__name__)

NO_TIER = (PPM - 1, PPM - 1)  # rates that no market is dearer than
ASKED_AT_ONCE = 500


class FeeTierInvalid(InvalidRequest):
    """No such tier is possible; the message says why."""

    code = "fee_tier_invalid"


class FeeTierNotFound(NotFound):
    """No tier has this id."""

    code = "fee_tier_not_found"


# --- Tiers ----------------------------------------------------------------------------------------------------------------


def add_tier(
    *, name: str, volume_from: str, maker_fee_ppm: int, taker_fee_ppm: int, actor_id: int, now: datetime
) -> int:
    """A new tier, from a volume in US dollars on; its id. Raises FeeTierInvalid and the errors of core.amounts."""
    with transaction.atomic():
        tier = FeeTier(name=name.strip())
        _set(tier, volume_from=volume_from, maker_fee_ppm=maker_fee_ppm, taker_fee_ppm=taker_fee_ppm)
        tier.save(force_insert=True)
        _note("trading.fee_tier_add", tier, actor_id, None, _shown(tier), now)
    return int(tier.pk)


def edit_tier(
    *, tier_id: int, name: str, volume_from: str, maker_fee_ppm: int, taker_fee_ppm: int, actor_id: int, now: datetime
) -> None:
    """Change a tier. Customers get their new rates with the next refresh, which is asked for at once."""
    with transaction.atomic():
        tier = _tier(tier_id)
        before = _shown(tier)
        tier.name = name.strip()
        _set(tier, volume_from=volume_from, maker_fee_ppm=maker_fee_ppm, taker_fee_ppm=taker_fee_ppm)
        tier.save()
        _note("trading.fee_tier_edit", tier, actor_id, before, _shown(tier), now)


def remove_tier(*, tier_id: int, actor_id: int, now: datetime) -> None:
    """Its customers fall to the tier below, or to the market's own rates."""
    with transaction.atomic():
        tier = _tier(tier_id)
        _note("trading.fee_tier_remove", tier, actor_id, _shown(tier), None, now)
        tier.delete()


def shown(*, tier_id: int) -> dict[str, Any]:
    """A tier as a form or a proposal names its parts. Raises FeeTierNotFound."""
    tier = FeeTier.objects.filter(pk=tier_id).first()
    if tier is None:
        raise FeeTierNotFound("There is no such tier.", param="tier_id")
    return _shown(tier)


def least_share_ppm(
    *, maker_fee_ppm: int, taker_fee_ppm: int, but_tier: int | None = None, but_market: int | None = None
) -> int:
    """What the house keeps at worst, whoever meets whom in whatever market and tier, once these rates hold as well.

    `but_tier` or `but_market` is whose rates they are to be. What engines know of customers counts until they know otherwise.
    Inside a transaction: two who change rates wait for each other.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('trading_rates'))")
    lowest = {"maker": Min("maker_fee_ppm"), "taker": Min("taker_fee_ppm")}
    found = [
        FeeTier.objects.exclude(pk=but_tier).aggregate(**lowest), Market.objects.exclude(pk=but_market).aggregate(**lowest),
        AccountFee.objects.aggregate(**lowest), {"maker": maker_fee_ppm, "taker": taker_fee_ppm},
    ]  # fmt: skip
    maker, taker = (min(each[side] for each in found if each[side] is not None) for side in ("maker", "taker"))
    return int(maker + taker)


def _set(tier: FeeTier, *, volume_from: str, maker_fee_ppm: int, taker_fee_ppm: int) -> None:
    if not tier.name or len(tier.name) > 40:
        raise FeeTierInvalid("A tier has a name of at most 40 characters.", param="name")
    units = amounts.parse(volume_from, decimals=USD_DECIMALS, param="volume_from")
    if units == 0:
        raise FeeTierInvalid(
            "A tier begins above nothing: below the lowest the market's rates hold.", param="volume_from"
        )
    if not fees_are_possible(maker_fee_ppm, taker_fee_ppm):
        raise FeeTierInvalid("A fee is less than the whole, and only a maker's may be a rebate.", param="taker_fee_ppm")
    others = FeeTier.objects.exclude(pk=tier.pk)
    if others.filter(name=tier.name).exists():
        raise FeeTierInvalid("Another tier has this name.", param="name")
    if others.filter(volume_from=units).exists():
        raise FeeTierInvalid("Another tier begins at this volume.", param="volume_from")
    if least_share_ppm(maker_fee_ppm=maker_fee_ppm, taker_fee_ppm=taker_fee_ppm, but_tier=tier.pk) < 0:
        raise FeeTierInvalid(
            "A maker's rebate could be more than a taker of another tier or market pays, as the engines know them now.",
            param="maker_fee_ppm",
        )
    tier.volume_from, tier.maker_fee_ppm, tier.taker_fee_ppm = units, maker_fee_ppm, taker_fee_ppm


def _tier(tier_id: int) -> FeeTier:
    tier = FeeTier.objects.select_for_update().filter(pk=tier_id).first()
    if tier is None:
        raise FeeTierNotFound("There is no such tier.", param="tier_id")
    return tier


def _shown(tier: FeeTier) -> dict[str, Any]:
    return {
        "name": tier.name, "volume_from": amounts.format(int(tier.volume_from), decimals=USD_DECIMALS),
        "maker_fee_ppm": tier.maker_fee_ppm, "taker_fee_ppm": tier.taker_fee_ppm,
    }  # fmt: skip


def _note(
    action: str,
    tier: FeeTier,
    actor_id: int,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
    now: datetime,
) -> None:
    record(actor_id=actor_id, action=action, subject=f"fee_tier:{tier.pk}", before=before, after=after, now=now)
    transaction.on_commit(partial(current_app.send_task, "trading.refresh_fees", retry=False), robust=True)


# --- Customers' rates -------------------------------------------------------------------------------------------------------


def refresh(*, now: datetime) -> int:
    """Count what was traded since the last run, and tell each shard whose rates are other than it knows; how many were told.

    Only differences are sent, and what a shard did not take the next run sends again. Safe to run twice at once.
    """
    volumes.gather()
    volumes.value(now=now)
    wanted = _wanted(now)
    return sum(_tell(shard, wanted) for shard in catalogue.shards())


def _wanted(now: datetime) -> dict[int, tuple[int, int]]:
    """The rates of every customer who has reached a tier."""
    tiers = list(FeeTier.objects.order_by("-volume_from").values_list("volume_from", "maker_fee_ppm", "taker_fee_ppm"))
    if not tiers:
        return {}
    wanted = {}
    for user_id, volume in volumes.customers(from_volume=int(tiers[-1][0]), now=now):
        rates = next((maker, taker) for volume_from, maker, taker in tiers if volume >= volume_from)
        wanted[user_id] = rates
    return wanted


def _tell(shard: int, wanted: dict[int, tuple[int, int]]) -> int:
    rows = AccountFee.objects.filter(shard_id=shard).values_list("user_id", "maker_fee_ppm", "taker_fee_ppm")
    known = {user_id: (maker, taker) for user_id, maker, taker in rows.iterator()}
    changed = [(user_id, rates) for user_id, rates in wanted.items() if known.get(user_id, NO_TIER) != rates]
    changed += [(user_id, NO_TIER) for user_id, rates in known.items() if user_id not in wanted and rates != NO_TIER]
    told = 0
    for part in _parts(changed):
        asked = [
            (shard, partial(wire.encode_fees, user_id=user_id, maker_fee_ppm=maker, taker_fee_ppm=taker))
            for user_id, (maker, taker) in part
        ]
        replies = line.ask_many_sync(asked)
        taken = sum(1 for reply in replies if not isinstance(reply, DomainError) and reply["code"] == wire.ACCEPTED)
        told += taken
        if taken < len(part):
            log.warning("trading.fees_not_taken", shard=shard, customers=len(part) - taken)
            break  # the shard is away, or busy: the next run goes on
    return told


def _parts(changed: list[tuple[int, tuple[int, int]]]) -> Iterable[list[tuple[int, tuple[int, int]]]]:
    return (changed[start : start + ASKED_AT_ONCE] for start in range(0, len(changed), ASKED_AT_ONCE))
