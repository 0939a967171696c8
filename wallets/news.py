"""What this room tells the others, through the outbox, in the transaction of what happened.

What must never happen here: news of something that was rolled back, or an amount as a number (they are decimal strings).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from exchange.assets.selectors import AssetNetworkView
from exchange.core import amounts
from exchange.outbox import services as outbox
from wallets.models import Deposit, Withdrawal
from wallets.records import confirmations

# Most states are told by their own name; these are what the readers agreed on.
WITHDRAWAL_TOPICS = {"broadcast": "sent", "rejected": "refused", "failed": "refused"}
# Steps of our own that interest nobody outside. A request is news while it waits for its customer's word.
QUIET = frozenset({"reserved", "signing", "signed"})
# Why it ended is the customer's to know; why staff look at it is not.
REASON_TOLD = frozenset({"cancelled", "rejected", "failed"})


def deposit(
    what: str, deposit: Deposit, link: AssetNetworkView, *, scanned_height: int, now: datetime, **more: Any
) -> None:
    """`wallets.deposit_<what>`; silent for the house's own arrivals. Reads deposit.address."""
    if deposit.owner_id is None:
        return
    outbox.append(
        topic=f"wallets.deposit_{what}",
        key=f"address:{deposit.address.address}",
        payload={
            "deposit_id": str(deposit.id),
            "user_id": deposit.owner_id,
            "asset": link.asset_code,
            "asset_id": link.asset_id,
            "network": link.network,
            "amount": amounts.format(deposit.amount, decimals=link.decimals),
            "amount_base_units": str(deposit.amount),
            "address": deposit.address.address,
            "txid": deposit.txid,
            "state": deposit.state,
            "confirmations": confirmations(deposit.block_height, scanned_height),
            **more,
        },
        now=now,
    )


def withdrawal(withdrawal: Withdrawal, link: AssetNetworkView, *, txid: str, now: datetime) -> None:
    """`wallets.withdrawal_<state>`, for the states a customer or staff wait for."""
    if withdrawal.state in QUIET or (withdrawal.state == "requested" and not withdrawal.waiting):
        return
    outbox.append(
        topic=f"wallets.withdrawal_{WITHDRAWAL_TOPICS.get(withdrawal.state, withdrawal.state)}",
        key=f"withdrawal:{withdrawal.id}",
        payload={
            "withdrawal_id": str(withdrawal.id),
            "user_id": withdrawal.owner_id,
            "asset": link.asset_code,
            "asset_id": link.asset_id,
            "network": link.network,
            "amount": amounts.format(withdrawal.amount, decimals=link.decimals),
            "fee": amounts.format(withdrawal.fee, decimals=link.decimals),
            "address": withdrawal.address,
            "txid": txid,
            "reason": withdrawal.reason if withdrawal.state in REASON_TOLD else "",
            "state": withdrawal.state,
        },
        now=now,
    )


def network(what: str, *, network: str, error: str, now: datetime) -> None:
    """`wallets.network_<what>`: down, up or halted. Opens no transaction: the caller has one."""
    outbox.append(
        topic=f"wallets.network_{what}",
        key=f"network:{network}",
        payload={"network": network, "error": error},
        now=now,
    )


def hot_low(link: AssetNetworkView, *, reachable: int, floor: int, wanted: int, now: datetime) -> None:
    """`wallets.hot_low`: less is hot than staff said must be; `wanted` is what a proposal should bring back."""
    outbox.append(
        topic="wallets.hot_low",
        key=f"network:{link.network}",
        payload={
            "asset": link.asset_code,
            "network": link.network,
            "hot": amounts.format(max(0, reachable), decimals=link.decimals),
            "floor": amounts.format(floor, decimals=link.decimals),
            "wanted": amounts.format(wanted, decimals=link.decimals),
        },
        now=now,
    )


def cold_held(link: AssetNetworkView, *, why: str, now: datetime) -> None:
    """`wallets.cold_held`: a surplus stays hot because the signer will not send it to the cold wallet that we know."""
    outbox.append(
        topic="wallets.cold_held",
        key=f"network:{link.network}",
        payload={"asset": link.asset_code, "network": link.network, "reason": why},
        now=now,
    )


def cold_return(what: str, *, payout_id: Any, link: AssetNetworkView, amount: int, reason: str, now: datetime) -> None:
    """`wallets.return_<what>`: proposed, approved, signed or cancelled."""
    outbox.append(
        topic=f"wallets.return_{what}",
        key=f"payout:{payout_id}",
        payload={
            "payout_id": str(payout_id),
            "asset": link.asset_code,
            "network": link.network,
            "amount": amounts.format(amount, decimals=link.decimals),
            "reason": reason,
        },
        now=now,
    )
