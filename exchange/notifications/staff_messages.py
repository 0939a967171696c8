"""What staff are told by alarm: stops, nodes, hot and cold, solvency. In English, as the back office is.

What must never happen here: a customer's name or address in an alarm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exchange.notifications.message import Message
from exchange.notifications.money_messages import money


def ledger_mismatch(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=None,
        kind="ledger_mismatch",
        title="The books do not agree",
        body="Reconciliation found a difference. `manage.py ledger reconcile --full` shows all of it.",
        link="/admin/",
        facts=tuple((name, str(value)[:300]) for name, value in sorted(payload.items())),
    )


def stopped(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=None,
        kind="stopped",
        title=f"Stopped: {payload.get('scope', '')}",
        body=str(payload.get("reason", ""))[:500],
        link="/admin/",
        facts=tuple((name, str(value)[:300]) for name, value in sorted(payload.items())),
    )


def network_trouble(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=None,
        kind="network_trouble",
        title=f"{payload['network']}: the node does not answer",
        body="Deposits and withdrawals of this network wait until it does.",
        link="/admin/",
        facts=(("Network", payload["network"]), ("Error", str(payload["error"])[:300])),
    )


def network_halted(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=None,
        kind="network_halted",
        title=f"{payload['network']}: scanning has halted",
        body="A reorganisation goes deeper than can be followed without a person. Look before it is resumed.",
        link="/admin/",
        facts=(("Network", payload["network"]), ("Error", str(payload["error"])[:300])),
    )


def payout_lost(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=None,
        kind="payout_lost",
        title=f"{payload['network']}: a payment was made impossible",
        body="Another transaction used what it was paid from, and that is final. It was given up and nobody was paid; its "
        "withdrawals have failed, and their money is the customers' again. Find out who used it.",
        link="/admin/wallets/withdrawal/",
        facts=(("Network", payload["network"]), ("Payment", str(payload["error"])[:300])),
    )


def hot_low(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=None,
        kind="hot_low",
        title=f"The hot wallet runs low: {payload['asset']} on {payload['network']}",
        body=f"Less lies hot than was agreed. A proposal should bring {payload['wanted']} {payload['asset']} back from cold.",
        link="/admin/wallets/hotlevel/",
        facts=(("Hot", payload["hot"]), ("Floor", payload["floor"]), ("To bring back", payload["wanted"])),
        action="Look at hot and cold",
    )


def cold_held(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=None,
        kind="cold_held",
        title=f"A surplus stays hot: {payload['asset']} on {payload['network']}",
        body="The signer will not send it to the cold wallet that stands here. Compare the wallet with the signer's own file.",
        link="/admin/wallets/coldwallet/",
        facts=(("Reason", str(payload["reason"])[:300]),),
        action="Look at the cold wallets",
    )


def return_proposed(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=None,
        kind="return_proposed",
        title=f"Proposed: {money(payload)} back from cold",
        body="Somebody else than who proposed it has to look at it and approve it.",
        link=f"/admin/wallets/coldproposal/{payload['payout_id']}/change/",
        facts=(("Amount", money(payload)), ("Network", payload["network"])),
        action="Look at the proposal",
    )


def solvency_short(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=None,
        kind="solvency_short",
        title=f"{payload['asset']} is SHORT: less is seen than customers are owed",
        body="Withdrawals are stopped for everybody. Find the difference before the stop is lifted.",
        link="/admin/compliance/solvencylook/",
        facts=(("Owed", payload["owed"]), ("Seen", payload["seen"])),
        action="Look at the solvency",
    )


def solvency_unknown(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=None,
        kind="solvency_unknown",
        title=f"Nobody could see all {payload['asset']} for over an hour",
        body="Whether it is all there cannot be told until its sources answer again.",
        link="/admin/compliance/solvencylook/",
        facts=(("Owed", payload["owed"]), ("Seen", payload["seen"]), ("Silent", ", ".join(payload["sources"])[:300])),
        action="Look at the solvency",
    )


BY_TOPIC: dict[str, Callable[[dict[str, Any]], Message | None]] = {
    "wallets.network_down": network_trouble,
    "wallets.network_halted": network_halted,
    "wallets.network_payout_lost": payout_lost,
    "wallets.hot_low": hot_low,
    "wallets.cold_held": cold_held,
    "wallets.return_proposed": return_proposed,
    "compliance.solvency_short": solvency_short,
    "compliance.solvency_unknown": solvency_unknown,
    "ledger.mismatch": ledger_mismatch,
    "ledger.stopped": stopped,
}
