"""What the nodes hold at our addresses, against what the ledger says they hold: exact, coin by coin and account by account.

The index is compared with the node first: a coin of ours that the node calls spent, though no transaction of ours spends
it, or an account that holds less than its movements, is missing. Then the index is compared with the books, allowing for
exactly what is known to be under way. A surplus somewhere never makes up for a shortage elsewhere: what the node shows beyond the
index is not counted. What must never happen here: a tolerance.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet, Sum

from exchange.assets.selectors import AssetNetworkView
from exchange.ledger.reconciliation import Outside
from wallets import books, nodes, routes
from wallets.chains.protocol import NodeUnavailable
from wallets.models import Address, Coin, Cursor, Deposit, Movement, Payout, Reservation, Withdrawal
from wallets.routes import Routes
from wallets.services import holdings

# An unspent output is asked for by number; this many a call keeps an answer small.
BATCH = 500


class NotComparable(NodeUnavailable):
    """The branch on which the scanner stands is being left just now; the next run compares."""


@dataclass(frozen=True)
class Missing:
    """What the index has and the node has not: coins by id (utxo), shortages by (address id, asset id) (evm)."""

    coins: dict[int, int] = field(default_factory=dict)
    shortages: dict[tuple[int, int], int] = field(default_factory=dict)

    def of(self, asset_id: int) -> dict[str, int]:
        """Base units missing, by the purpose of the address. Coins that were explained meanwhile are not counted."""
        still = unexplained(Coin.objects.filter(id__in=self.coins)).values_list("id", "address__purpose")
        found: dict[str, int] = defaultdict(int)
        for coin_id, purpose in still:
            found[purpose] += self.coins[coin_id]
        short = {address_id: amount for (address_id, asset), amount in self.shortages.items() if asset == asset_id}
        for address_id, purpose in Address.objects.filter(id__in=short).values_list("id", "purpose"):
            found[purpose] += short[address_id]
        return found


def outside(now: datetime, *, network: str) -> list[Outside]:
    """One row for each asset of the network; none before its first scan. Raises ChainError where the node cannot be asked.

    The node is asked before anything is locked. The sums are read under the cursor's lock: whatever moves the index or the
    books of this network takes that lock first, so the numbers are of one moment.
    """
    the_routes = routes.of(network)
    if not Cursor.objects.filter(network_id=the_routes.network.id).exists():
        return []
    missing = ask(the_routes)
    links = [link for link in the_routes.links if routes.usable(link)]
    with transaction.atomic():
        Cursor.objects.select_for_update().get(network_id=the_routes.network.id)
        return [_outside(the_routes, link, missing, now=now) for link in links]


def _outside(the_routes: Routes, link: AssetNetworkView, missing: Missing, *, now: datetime) -> Outside:
    short = missing.of(link.asset_id)
    parts = {
        purpose: amount - short.get(purpose, 0) for purpose, amount in holdings.by_purpose(the_routes, link).items()
    }
    return Outside(
        account_id=books.chain_wallet(link, now=now),
        amount_seen=sum(parts.values()),
        as_of=now,
        pending=under_way(the_routes, link),
        parts=parts,
    )


def ask(the_routes: Routes) -> Missing:
    """Compares the index with the node, at the block where the scanner stands. Raises NotComparable, ChainError."""
    chain = nodes.chain(the_routes.network.code)
    cursor = Cursor.objects.get(network_id=the_routes.network.id)
    found = (
        _missing_coins(chain, cursor) if the_routes.network.family == "utxo" else _shortages(chain, cursor, the_routes)
    )
    if chain.block_ref(cursor.height).hash != cursor.hash:
        raise NotComparable(f"{the_routes.network.code} is being reorganised")
    return found


def _missing_coins(chain: Any, cursor: Cursor) -> Missing:
    coins = unexplained(Coin.objects.filter(network_id=cursor.network_id)).order_by("id")
    missing: dict[int, int] = {}
    rows = list(coins.values_list("id", "txid", "vout", "amount", "address__script"))
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        shown = chain.unspent({f"{txid}:{vout}": bytes(script) for _, txid, vout, _, script in part})
        for coin_id, txid, vout, amount, _ in part:
            # A row that says more than the node does, or calls somebody else's coin ours, was written by another hand.
            if (short := amount - (shown[f"{txid}:{vout}"] or 0)) > 0:
                missing[coin_id] = short
    return Missing(coins=missing)


def unexplained(coins: QuerySet[Coin]) -> QuerySet[Coin]:
    """Coins that must be unspent at the node: in a block, not spent, and in no transaction of ours that may be out."""
    signed = Reservation.objects.filter(
        released_at=None, payout__versions__raw__isnull=False, coin_id__in=coins.values("id")
    )
    return coins.filter(block_height__isnull=False, spent_height=None).exclude(id__in=signed.values("coin_id"))


def _shortages(chain: Any, cursor: Cursor, the_routes: Routes) -> Missing:
    shortages: dict[tuple[int, int], int] = {}
    for link in the_routes.links:
        if not routes.usable(link):
            continue
        sums = (
            Movement.objects.filter(network_id=cursor.network_id, asset_id=link.asset_id)
            .values("address_id", "address__script")
            .annotate(sum=Sum("delta"))
        )
        rows = list(sums.exclude(sum=0))
        # At the scanner's own block, wherever the node's newest one is by now.
        held = chain.balances([bytes(row["address__script"]) for row in rows], contract=link.contract, at=cursor.hash)
        for row in rows:
            short = int(row["sum"]) - link.from_chain(held[bytes(row["address__script"])])
            if short > 0:
                shortages[(row["address_id"], link.asset_id)] = short
    return Missing(shortages=shortages)


def under_way(the_routes: Routes, link: AssetNetworkView) -> int:
    """Books minus index, as far as known: payouts mined and not settled, credits not taken back yet, arrivals not booked.

    A payout that is final in the books and lost its block is the other way round.
    """
    deposits = Deposit.objects.filter(network_id=link.network_id, asset_id=link.asset_id)
    not_booked = _sum(deposits.filter(state=Deposit.State.CONFIRMING), "amount")
    not_reversed = _sum(deposits.filter(reversal_due=True), "amount")
    mined = Q(state=Payout.State.CONFIRMED, block_height__isnull=False)
    unmined = Q(state=Payout.State.FINAL, block_height=None)
    owns_fees = link.asset_id == the_routes.own_coin.asset_id
    return (
        not_reversed
        - not_booked
        + _paid(link, mined, fee="network_fee" if owns_fees else "")
        - _paid(link, unmined, fee="booked_fee" if owns_fees else "")
        + (_fee_difference(link) if owns_fees else 0)
    )


def _paid(link: AssetNetworkView, which: Q, *, fee: str) -> int:
    payouts = Payout.objects.filter(which, network_id=link.network_id)
    moved = Withdrawal.objects.filter(payout__in=payouts.filter(succeeded=True), asset_id=link.asset_id)
    return _sum(moved, "amount") + (_sum(payouts, fee) if fee else 0)


def _fee_difference(link: AssetNetworkView) -> int:
    """Final payouts mined again at another fee than the one in the books."""
    again = Payout.objects.filter(
        network_id=link.network_id, state=Payout.State.FINAL, block_height__isnull=False
    ).exclude(booked_fee=F("network_fee"))
    return _sum(again, "network_fee") - _sum(again, "booked_fee")


def _sum(rows: QuerySet[Any], name: str) -> int:
    return int(rows.aggregate(sum=Sum(name))["sum"] or 0)
