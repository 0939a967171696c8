"""Keeps the hot wallet small: what is hot beyond its share goes cold by itself, and staff are told when too little is left.

Nothing here signs or sends: a surplus becomes a payout of kind "cold", which the machine moves like any other and which the
signer signs only to a cold address in its own file. The way back needs people: it is suggested, never made. What must never
happen here: coins counted hot that are promised to withdrawals, two moves at once of one asset, or a move while withdrawals stand
still (whoever found out why they were stopped should find the coins where they were).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q, Sum

from exchange.assets.selectors import AssetNetworkView
from exchange.ledger.selectors import stops as ledger_stops
from wallets import lifecycle, news, nodes, routes
from wallets.chains.protocol import ChainError
from wallets.models import ColdWallet, Cursor, HotLevel, HotShare, Payout, PayoutVersion, Withdrawal
from wallets.models.shares import PPM
from wallets.routes import Routes
from wallets.services import cold_wallets, holdings, hot, reserving, reserving_utxo, shares
from wallets.services.hot import CannotReserve

log = structlog.get_logger(__name__)
# After the signer refused a move it would refuse it again: staff are told, and it is tried again after this long.
REFUSED_REST = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Level:
    """One asset on one network, in base units. `hot` and `deposit` are under the signer's keys, `cold` is not."""

    network_id: int
    asset_id: int
    hot: int
    deposit: int
    cold: int
    leaving: int
    target: int
    floor: int

    @property
    def reachable(self) -> int:
        """What the signer's keys hold and nobody was promised."""
        return self.hot + self.deposit - self.leaving

    @property
    def surplus(self) -> int:
        return max(0, self.reachable - self.target)

    @property
    def low(self) -> bool:
        return self.reachable < self.floor

    @property
    def wanted(self) -> int:
        """What a proposal should bring back: up to the target, and no more than is cold."""
        return max(0, min(self.target - self.reachable, self.cold))


@dataclass(frozen=True, slots=True)
class Move:
    """One look at one asset. `payout_id` is set when coins are on their way; `waiting` says why a surplus is not."""

    level: Level
    payout_id: UUID | None = None
    waiting: str = ""


def balance(now: datetime) -> list[Move]:
    """Looks at every asset that has a share in force, and sends each surplus to its cold wallet. One failure stops no other."""
    moves: list[Move] = []
    with nodes.only_one("balance_cold") as mine:
        if not mine:
            return moves
        for network in routes.configured():
            the_routes = routes.of(network)
            wallet = cold_wallets.current(the_routes.network.id)
            rules = shares.in_force(the_routes.network.id)
            moves.extend(_balance_one(the_routes, share, wallet, now=now) for share in rules)
    return moves


def _balance_one(the_routes: Routes, share: HotShare, wallet: ColdWallet | None, *, now: datetime) -> Move:
    link = the_routes.by_asset(share.asset_id)
    level = measure(the_routes, share)
    payout_id, waiting = None, ""
    if level.surplus >= share.least:
        waiting = _held_back(level, wallet)
        if not waiting:
            assert wallet is not None
            try:
                payout_id = _send(the_routes, link, level, wallet, least=int(share.least), now=now)
            except CannotReserve as cannot:
                waiting = cannot.why
            except ChainError as error:
                log.warning("node_unavailable", network=link.network, error=str(error))
                waiting = "node_down"
    _keep(level, link, waiting, now=now)
    return Move(level, payout_id, waiting)


def measure(the_routes: Routes, share: HotShare) -> Level:
    """What our index says lies where. Four queries."""
    link = the_routes.by_asset(share.asset_id)
    held = holdings.by_purpose(the_routes, link)
    leaving = _leaving(link)
    total = max(0, sum(held.values()) - leaving)
    return Level(
        network_id=link.network_id,
        asset_id=link.asset_id,
        hot=held["hot"],
        deposit=held["deposit"],
        cold=held["cold"],
        leaving=leaving,
        target=max(int(share.floor), total * share.share_ppm // PPM),
        floor=int(share.floor),
    )


def _leaving(link: AssetNetworkView) -> int:
    """What is promised and in no block yet: withdrawals from the hold on, and moves to cold."""
    own = Q(network_id=link.network_id, asset_id=link.asset_id)
    waiting = Withdrawal.objects.filter(own, closed_at=None).exclude(state=lifecycle.State.CONFIRMED)
    moves = Payout.objects.filter(own, kind=Payout.Kind.COLD, block_height=None).exclude(state__in=Payout.GIVEN_UP)
    return int(waiting.aggregate(sum=Sum("amount"))["sum"] or 0) + int(moves.aggregate(sum=Sum("amount"))["sum"] or 0)


def _held_back(level: Level, wallet: ColdWallet | None) -> str:
    """Why a surplus does not go just now."""
    if wallet is None:
        return "there is no cold wallet in use"
    if ledger_stops.is_stopped("withdrawals"):
        return "withdrawals are stopped"
    own = Payout.objects.filter(network_id=level.network_id, asset_id=level.asset_id, kind=Payout.Kind.COLD)
    if own.filter(closed_at=None).exists():
        return "the last move is not final yet"
    return ""


def _refused(level: Level, wallet: ColdWallet, *, now: datetime) -> str:
    refused = (
        PayoutVersion.objects.filter(
            payout__network_id=level.network_id, payout__asset_id=level.asset_id, payout__kind=Payout.Kind.COLD
        )
        .filter(created_at__gt=max(now - REFUSED_REST, wallet.approved_at or now))
        .exclude(refusal="")
        .order_by("-created_at")
        .first()
    )
    return f"the signer refused: {refused.refusal}"[:200] if refused is not None else ""


def _send(
    the_routes: Routes, link: AssetNetworkView, level: Level, wallet: ColdWallet, *, least: int, now: datetime
) -> UUID:
    """Reserves what goes cold; the machine does the rest. Raises CannotReserve, ChainError."""
    if refusal := _refused(level, wallet, now=now):
        raise CannotReserve(refusal)
    sender = hot.address(link.network_id)
    if sender is None:
        raise CannotReserve("hot_wallet_short")
    if the_routes.network.family == "utxo":
        movable = _movable_coins(link.network_id)
    else:
        # Only what stands at the hot account can be sent; deposits come there by the sweep.
        gas = the_routes.own_coin.asset_id
        movable = reserving.spendable(sender, asset_id=link.asset_id, gas_asset_id=gas)
    amount = min(level.surplus, movable)
    if amount < least:
        raise CannotReserve("hot_wallet_short")
    address = cold_wallets.next_address(wallet=wallet, now=now)
    payout_id = reserving.reserve_internal(
        kind=Payout.Kind.COLD,
        network=link.network,
        asset_id=link.asset_id,
        sender=sender,
        destination=address.address,
        destination_path=hot.path(address),
        amount=amount,
        now=now,
    )
    log.info("surplus_goes_cold", network=link.network, asset=link.asset_code, amount=str(amount))
    return payout_id


def _movable_coins(network_id: int) -> int:
    """What the largest coins that may be spent now come to, with room left for the fee."""
    cursor = Cursor.objects.filter(network_id=network_id).first()
    if cursor is None:
        return 0
    largest = reserving_utxo.free(network_id, cursor).order_by("-amount", "id")[: reserving_utxo.COINS_OFFERED_MAX]
    return sum(coin.amount for coin in largest) * 98 // 100


def _keep(level: Level, link: AssetNetworkView, waiting: str, *, now: datetime) -> None:
    """What was found, for staff's page; and the alarm, once, when too little is left."""
    with transaction.atomic():
        before = (
            HotLevel.objects.select_for_update().filter(network_id=level.network_id, asset_id=level.asset_id).first()
        )
        low_since = before.low_since if before is not None and level.low else None
        told = low_since is not None
        if level.low and low_since is None:
            low_since = now
        HotLevel.objects.update_or_create(
            network_id=level.network_id,
            asset_id=level.asset_id,
            defaults={
                "hot": level.hot,
                "deposit": level.deposit,
                "cold": level.cold,
                "leaving": level.leaving,
                "target": level.target,
                "looked_at": now,
                "low_since": low_since,
                "waiting": waiting,
            },
        )
        if level.low and not told:
            log.error("hot_wallet_low", network=link.network, asset=link.asset_code, reachable=str(level.reachable))
            news.hot_low(link, reachable=level.reachable, floor=level.floor, wanted=level.wanted, now=now)
        if waiting.startswith("the signer refused") and (before is None or before.waiting != waiting):
            news.cold_held(link, why=waiting, now=now)
