"""Gathers many small coins into one while fees are low, so that they are not paid for one by one when fees are high.

What must never happen here: a consolidation at a price that the operator did not call low, or two of one network at once.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from django.conf import settings

from exchange.ledger.selectors import stops
from wallets import nodes, routes
from wallets.chains.protocol import ChainError
from wallets.chains.utxo import payout as utxo
from wallets.models import Address, Coin, Cursor, Payout
from wallets.routes import Routes
from wallets.services import reserving, reserving_utxo
from wallets.services.hot import CannotReserve

log = structlog.get_logger(__name__)

COINS = 50
INPUTS_MAX = 200
# A coin must hold several times what spending it costs now, or it is left where it is.
WORTH = 3


def consolidate_due(*, now: datetime) -> int:
    """One transaction for each UTXO network that has many small coins and low fees; returns how many it made."""
    if stops.is_stopped("withdrawals"):
        return 0
    below = getattr(settings, "WALLETS_CONSOLIDATE_BELOW", {})
    made = 0
    for network in routes.configured():
        if network not in below:
            continue
        try:
            made += _consolidate(routes.of(network), int(below[network]), now=now)
        except (CannotReserve, ChainError) as cannot:
            log.warning("not_consolidated", network=network, reason=str(cannot))
    return made


def _consolidate(the_routes: Routes, below: int, *, now: datetime) -> int:
    network_id = the_routes.network.id
    cursor = Cursor.objects.filter(network_id=network_id).first()
    under_way = Payout.objects.filter(network_id=network_id, kind=Payout.Kind.CONSOLIDATION, closed_at=None)
    if the_routes.network.family != "utxo" or cursor is None or under_way.exists():
        return 0
    fee_rate = nodes.chain(the_routes.network.code).fee_rate(reserving.PATIENT_TARGET_BLOCKS)
    if fee_rate > below:
        return 0
    coins = _gathered(network_id, the_routes.network.code, cursor, fee_rate)
    if not coins:
        return 0
    reserving.reserve_internal(
        kind=Payout.Kind.CONSOLIDATION,
        network=the_routes.network.code,
        asset_id=the_routes.own_coin.asset_id,
        sender=None,
        destination="",
        destination_path="",
        amount=sum(coin.amount for coin in coins),
        coins=[coin.pk for coin in coins],
        now=now,
    )
    return 1


def _gathered(network_id: int, network: str, cursor: Cursor, fee_rate: int) -> list[Coin]:
    """Small coins where there are more than WALLETS_CONSOLIDATE_COINS of them; those of retired hot keys always, and first."""
    worth = WORTH * utxo.fee_of(utxo.INPUT_VSIZE, fee_rate)
    free = reserving_utxo.free(network_id, cursor).filter(amount__gt=worth)
    retired = list(
        free.filter(address__purpose=Address.Purpose.HOT, address__xpub__retired_at__isnull=False).order_by("id")[
            :INPUTS_MAX
        ]
    )
    small = getattr(settings, "WALLETS_CONSOLIDATE_SMALL", {}).get(network)
    least = int(getattr(settings, "WALLETS_CONSOLIDATE_COINS", COINS))
    others: list[Coin] = []
    if small is not None:
        left = INPUTS_MAX - len(retired)
        others = list(
            free.filter(amount__lte=small).exclude(pk__in=[coin.pk for coin in retired]).order_by("amount", "id")[:left]
        )
    # A lone coin gains nothing by moving, unless it is a retired key's.
    return retired + others if retired or len(others) > max(1, least) else []
