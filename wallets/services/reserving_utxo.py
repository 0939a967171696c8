"""Coins set aside for a transaction, and the transaction built from them.

Everything here runs inside the caller's transaction, which holds the network's cursor and the hot address: two workers never
look at one coin at once, and the database refuses a second live promise of it besides. What must never happen here: a coin that
may still be reorganised away, one of a cold wallet's, or one that is promised already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from wallets import nodes
from wallets.chains.protocol import DustOutput, InsufficientCoins, PayoutImpossible
from wallets.chains.utxo import payout as utxo
from wallets.chains.utxo.selection import FeeAboveCap
from wallets.models import Address, Coin, Cursor, Payout, Reservation, Withdrawal
from wallets.routes import Routes
from wallets.services import hot
from wallets.services.hot import CannotReserve
from wallets.services.xpubs import CHANGE_BRANCH

# The largest coins are offered to the choice; many small ones are for a consolidation, not for a payout.
COINS_OFFERED_MAX = 400
FEE_TARGET_BLOCKS = 6


@dataclass(frozen=True, slots=True)
class Built:
    """An unsigned transaction, the rows of its coins, and which of the withdrawals it pays, in the order of its outputs."""

    unsigned: utxo.UnsignedUtxo
    coins: tuple[Coin, ...]
    served: tuple[Withdrawal, ...] = ()


def free(network_id: int, cursor: Cursor) -> QuerySet[Coin]:
    """Coins of our own keys that no later reorganisation takes and no transaction of ours is promised."""
    taken = Reservation.objects.filter(released_at=None, coin__network_id=network_id).values("coin_id")
    return (
        Coin.objects.select_related("address__xpub")
        .filter(network_id=network_id, spent_height=None, mature_height__lte=cursor.height)
        .exclude(address__purpose=Address.Purpose.COLD)
        .exclude(id__in=taken)
    )


def as_input(coin: Coin) -> utxo.Coin:
    """A row as the pure code takes it. Reads coin.address.xpub."""
    return utxo.Coin(coin.txid, coin.vout, coin.amount, bytes(coin.address.script), hot.path(coin.address))


def withdrawals(
    rows: Sequence[Withdrawal],
    payout: Payout,
    cursor: Cursor,
    routes: Routes,
    *,
    fee_rate: int,
) -> Built:
    """One transaction for as many of these as the coins at hand allow, oldest first. Raises CannotReserve."""
    offered = _offered(free(routes.network.id, cursor))
    served = _fitting(rows, offered.values(), routes, fee_rate=fee_rate)
    # What fits by the sum may still be too much once inputs are counted; then the youngest waits for the next one. Above the cap
    # on fees half of them wait: a transaction of one may well be below it.
    count = len(served)
    while count:
        payments = [utxo.Payment(each.address, each.amount, str(each.id)) for each in served[:count]]
        cap = hot.fee_cap(routes, served[:count])
        try:
            unsigned = _build(payout, offered, payments, routes, fee_rate=fee_rate, fee_max=cap)
        except (InsufficientCoins, DustOutput):
            count -= 1
            continue
        except FeeAboveCap:
            if count == 1:
                raise CannotReserve("fees_high") from None
            count //= 2
            continue
        return Built(unsigned, _rows(unsigned, offered), tuple(served[:count]))
    raise CannotReserve("hot_wallet_short")


def internal(
    payment: utxo.Payment | None,
    payout: Payout,
    coins: QuerySet[Coin],
    routes: Routes,
    *,
    fee_rate: int,
) -> Built:
    """Coins to a key of the house's: to `payment`'s, or, without one, all of them into the change. Raises CannotReserve."""
    offered = _offered(coins)
    try:
        payments = [payment] if payment else []
        unsigned = _build(payout, offered, payments, routes, fee_rate=fee_rate, fee_max=hot.fee_cap(routes))
    except FeeAboveCap:
        raise CannotReserve("fees_high") from None
    except (InsufficientCoins, DustOutput):
        raise CannotReserve("hot_wallet_short") from None
    return Built(unsigned, _rows(unsigned, offered))


def reserve(coins: Sequence[Coin], payout: Payout, *, now: datetime) -> None:
    """Promises these coins. IntegrityError where one has a live promise."""
    Reservation.objects.bulk_create(Reservation(coin=coin, payout=payout, reserved_at=now) for coin in coins)


def _offered(coins: QuerySet[Coin]) -> dict[str, Coin]:
    return {f"{coin.txid}:{coin.vout}": coin for coin in coins.order_by("-amount", "id")[:COINS_OFFERED_MAX]}


def _fitting(rows: Sequence[Withdrawal], coins: Any, routes: Routes, *, fee_rate: int) -> list[Withdrawal]:
    """Those that the coins cover, in their order; one too large is passed over and holds up nobody."""
    input_fee = utxo.fee_of(utxo.INPUT_VSIZE, fee_rate)
    left = sum(max(0, coin.amount - input_fee) for coin in coins)
    rules = nodes.rules(routes.network.code)
    fitting = []
    for row in rows:
        try:
            cost = row.amount + utxo.fee_of(9 + len(rules.parse(row.address).key), fee_rate)
            if row.amount < rules.dust(row.address):
                continue
        except PayoutImpossible:
            continue
        if cost <= left:
            fitting.append(row)
            left -= cost
    return fitting


def _build(
    payout: Payout,
    offered: dict[str, Coin],
    payments: Sequence[utxo.Payment],
    routes: Routes,
    *,
    fee_rate: int,
    fee_max: int | None,
) -> utxo.UnsignedUtxo:
    assert payout.address.branch == CHANGE_BRANCH
    unsigned: utxo.UnsignedUtxo = nodes.rules(routes.network.code).payout(
        coins=[as_input(coin) for coin in offered.values()],
        payments=payments,
        change=utxo.Change(payout.address.address, hot.path(payout.address)),
        fee_rate=fee_rate,
        # The draw is by lot, and the same for the same payout.
        seed=payout.id.int,
        fee_max=fee_max,
    )
    return unsigned


def _rows(unsigned: utxo.UnsignedUtxo, offered: dict[str, Coin]) -> tuple[Coin, ...]:
    return tuple(offered[coin.outpoint] for coin in unsigned.inputs)
