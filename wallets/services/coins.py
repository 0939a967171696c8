"""Our coins of a UTXO chain: made and spent by blocks, and those that no block holds (any more).

A coin that a reorganisation took away is made by a transaction that waits again. Once a block gives something that this one
spends to another, the coin can never be, and no transaction of ours that spends it be mined (see `losing`). What must never
happen here: a coin called gone because of its own transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from django.db import connection
from django.db.models import QuerySet

from wallets.chains.protocol import Credit, Spend
from wallets.models import Address, Coin, Deposit

# A coin that is our own change hangs on a payout of ours; one confirmation is enough to spend it on.
CHANGE_CONFIRMATIONS = 1
# Asked for each block, and nearly always answered by nothing.
AWAITED = """
SELECT c.id, c.txid, c.spends::text FROM wallets_coin c
JOIN wallets_reservation r ON r.coin_id = c.id AND r.released_at IS NULL
JOIN wallets_payout p ON p.id = r.payout_id AND p.closed_at IS NULL
WHERE c.network_id = %s AND c.block_height IS NULL AND c.gone_height IS NULL
"""


def add(credit: Credit, address: Address, *, height: int, mature_height: int | None) -> None:
    """A coin that a block of ours holds already stays there: some old transactions stand in two blocks, and count once."""
    coin, made = Coin.objects.get_or_create(
        network_id=address.network_id,
        txid=credit.txid,
        vout=int(credit.slot),
        defaults={
            "block_height": height,
            "mature_height": mature_height,
            "address": address,
            "amount": credit.amount,
            "spends": credit.spends,
        },
    )
    if not made and coin.block_height is None:
        coin.block_height, coin.mature_height, coin.spends = height, mature_height, credit.spends
        coin.save(update_fields=["block_height", "mature_height", "spends"])


def unripe(network_id: int) -> QuerySet[Coin]:
    """Coins that a rescan found and that it has not followed to the newest block yet."""
    return Coin.objects.filter(network_id=network_id, block_height__isnull=False, mature_height=None)


def ripen(network_id: int, *, from_height: int) -> None:
    """Offers the coins that were found again from this height on: every block since was looked at for what spends them.

    The caller holds the cursor's lock.
    """
    for coin in unripe(network_id).filter(block_height__gte=from_height):
        deposit = Deposit.objects.filter(network_id=network_id, txid=coin.txid, position=str(coin.vout)).first()
        required = deposit.confirmations_required if deposit else CHANGE_CONFIRMATIONS
        assert coin.block_height is not None
        coin.mature_height = coin.block_height + required - 1
        coin.save(update_fields=["mature_height"])


def spend(spends: Iterable[Spend], *, network_id: int, height: int) -> None:
    """Marks those of our coins that a block spends."""
    for each in spends:
        txid, _, vout = each.spent.partition(":")
        Coin.objects.filter(network_id=network_id, txid=txid, vout=int(vout)).update(
            spent_txid=each.txid, spent_height=height
        )


def awaited(network_id: int) -> dict[str, list[tuple[int, str]]]:
    """What the transactions of such coins use up: (coin's id, its txid) by outpoint."""
    uses: dict[str, list[tuple[int, str]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(AWAITED, [network_id])
        rows = cursor.fetchall()
    for coin_id, txid, spends in rows:
        for spent in json.loads(spends):
            uses.setdefault(spent, []).append((coin_id, txid))
    return uses


def gone(awaited: Mapping[str, list[tuple[int, str]]], spends: Iterable[Spend]) -> dict[int, str]:
    """The coins that these spends make impossible: the txid that did, by the coin's id."""
    return {
        coin_id: spend.txid for spend in spends for coin_id, txid in awaited.get(spend.spent, ()) if txid != spend.txid
    }


def record_gone(gone: Mapping[int, str], *, height: int) -> None:
    """Inside the block's transaction, after the coins that the block itself makes."""
    for coin_id, txid in gone.items():
        Coin.objects.filter(pk=coin_id, block_height=None, gone_height=None).update(gone_txid=txid, gone_height=height)
