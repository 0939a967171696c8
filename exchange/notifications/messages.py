"""What is said about each event, and to whom: one function a kind, from an event's payload to words.

What must never happen here: a number worked out anew (amounts come as decimal text in the payload), or words about one
person's money for another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Message:
    """What a person reads. `user_id` is None for a message to all staff; `facts` are the lines of the e-mail's table."""

    user_id: int | None
    kind: str
    title: str
    body: str
    link: str
    facts: tuple[tuple[str, str], ...] = ()


def deposit_credited(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=payload["user_id"],
        kind="deposit_credited",
        title=f"Deposit of {_money(payload)} credited",
        body=f"{_money(payload)} arrived over {payload['network']} and can be used now.",
        link="/wallet/history/",
        facts=(
            ("Amount", _money(payload)),
            ("Network", payload["network"]),
            ("Address", payload["address"]),
            ("Transaction", payload["txid"]),
        ),
    )


def deposit_reversed(payload: dict[str, Any]) -> Message | None:
    """Only where a credit was taken back; a deposit that was never credited is no news."""
    if not payload.get("reversed"):
        return None
    return Message(
        user_id=payload["user_id"],
        kind="deposit_reversed",
        title=f"Deposit of {_money(payload)} taken back",
        body=f"The {payload['network']} network reorganised and the deposit is not confirmed any more. "
        "If it is confirmed again, it is credited again.",
        link="/wallet/history/",
        facts=(("Amount", _money(payload)), ("Network", payload["network"]), ("Transaction", payload["txid"])),
    )


def withdrawal_sent(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=payload["user_id"],
        kind="withdrawal_sent",
        title=f"Withdrawal of {_money(payload)} sent",
        body=f"{_money(payload)} is on its way to {payload['address']}.",
        link=f"/wallet/withdrawals/{payload['withdrawal_id']}/",
        facts=(
            ("Amount", _money(payload)),
            ("Fee", f"{payload['fee']} {payload['asset']}"),
            ("Network", payload["network"]),
            ("To", payload["address"]),
            ("Transaction", payload["txid"]),
        ),
    )


def withdrawal_refused(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=payload["user_id"],
        kind="withdrawal_refused",
        title=f"Withdrawal of {_money(payload)} not sent",
        body="It was refused and the money is back in your balance.",
        link=f"/wallet/withdrawals/{payload['withdrawal_id']}/",
        facts=(
            ("Amount", _money(payload)),
            ("To", payload["address"]),
            *((("Reason", payload["reason"]),) if payload.get("reason") else ()),
        ),
    )


def bank_deposit_credited(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=payload["user_id"],
        kind="bank_deposit_credited",
        title=f"Bank transfer of {_money(payload)} credited",
        body=f"{_money(payload)} arrived with reference {payload['reference']} and can be used now.",
        link="/wallet/history/",
        facts=(("Amount", _money(payload)), ("Reference", payload["reference"])),
    )


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


BY_TOPIC: dict[str, Callable[[dict[str, Any]], Message | None]] = {
    "wallets.deposit_credited": deposit_credited,
    "wallets.deposit_orphaned": deposit_reversed,
    "wallets.withdrawal_sent": withdrawal_sent,
    "wallets.withdrawal_refused": withdrawal_refused,
    "fiat.deposit_credited": bank_deposit_credited,
    "wallets.network_down": network_trouble,
    "wallets.network_halted": network_halted,
    "ledger.mismatch": ledger_mismatch,
    "ledger.stopped": stopped,
}


def _money(payload: dict[str, Any]) -> str:
    return f"{payload['amount']} {payload['asset']}"
