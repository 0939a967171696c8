"""How far a withdrawal is, in the words of a customer: four steps, whatever the number of states behind them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from wallets.selectors import WithdrawalView

_UNDER_WAY = {
    "requested": 0, "review": 0,
    "approved": 1, "reserved": 1, "signing": 1,
    "signed": 2, "broadcast": 2, "confirmed": 2,
    "final": 4,
}  # fmt: skip
"""Which of the four stages a state is working at; past the last one, all are done."""
_ENDED = {"cancelled": "Cancelled", "rejected": "Refused", "failed": "Could not be sent"}
_WAITING = {
    "stopped": "All withdrawals are paused while the books are checked. Yours goes on by itself.",
    "frozen": "This account is frozen. Write to the operator of this site.",
    "hot_wallet_short": "The online wallet is being refilled from cold storage. This can take some hours.",
    "hot_wallet_gas_short": "The online wallet is being refilled for network fees. This can take some hours.",
    "node_down": "Our connection to the network is down. It goes on by itself when the network is back.",
    "signer": "Waiting for the signer.",
    "broadcast_refused": "The network did not take the transaction yet. We try again.",
    "hot_wallet_busy": "An earlier payment has to be confirmed first.",
    "reconciling": "The books are being compared with the chain. It goes on by itself.",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """`look` is "done", "now", "wait" or "bad"."""

    title: str
    detail: str
    look: str
    at: datetime | None


def of_withdrawal(withdrawal: WithdrawalView) -> tuple[Stage, ...]:
    """The four stages of a payment out, or where it ended before them."""
    times = {step.state: step.at for step in withdrawal.steps}
    if withdrawal.state in _ENDED:
        ending = Stage(_ENDED[withdrawal.state], _ended_detail(withdrawal), "bad", times.get(withdrawal.state))
        return (Stage("Requested", "Amount and fee were set aside.", "done", withdrawal.requested_at), ending)
    under_way = _UNDER_WAY.get(withdrawal.state, 0)
    waiting = _WAITING.get(withdrawal.waiting, "")
    review = "A person looks at this one before it goes out." if withdrawal.state == "review" else ""
    depth = f"{min(withdrawal.confirmations, withdrawal.confirmations_required)} of {withdrawal.confirmations_required}"
    words = (
        ("Requested", waiting or review or "Amount and fee are set aside.", withdrawal.requested_at),
        ("Signed", waiting or "The signer checks it against its own limits.", times.get("signed")),
        ("Sent to the network", waiting or f"{depth} confirmations.", times.get("broadcast")),
        ("Final", "The receiver has it for good.", times.get("final")),
    )
    return tuple(
        Stage(
            title=title,
            detail=detail if index == under_way else "",
            look="done" if index < under_way else "now" if index == under_way else "wait",
            at=at,
        )
        for index, (title, detail, at) in enumerate(words)
    )


def _ended_detail(withdrawal: WithdrawalView) -> str:
    said = f" {withdrawal.reason}" if withdrawal.reason else ""
    return f"Amount and fee are available again.{said}"
