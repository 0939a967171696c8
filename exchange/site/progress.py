"""How far a withdrawal is, in the words of a customer: a few steps, whatever the number of states behind them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exchange.site.said import said
from wallets.selectors import Step, WithdrawalView

_UNDER_WAY = {
    "requested": 1, "review": 2,
    "approved": 3, "reserved": 3, "signing": 3,
    "signed": 4, "broadcast": 4,
    "confirmed": 5,
    "final": 7,
}  # fmt: skip
"""Which of the stages a state is working at; past the last one, all are done."""
_IN_A_BLOCK = 5
_ENDED = {
    "cancelled": gettext_lazy("Cancelled"),
    "rejected": gettext_lazy("Refused"),
    "failed": gettext_lazy("Could not be sent"),
}
_WAITING = {
    "stopped": gettext_lazy("All withdrawals are paused while the books are checked. Yours goes on by itself."),
    "frozen": gettext_lazy("This account is frozen. Write to the operator of this site."),
    "hot_wallet_short": gettext_lazy(
        "The online wallet is being refilled from cold storage. This can take some hours."
    ),
    "hot_wallet_gas_short": gettext_lazy(
        "The online wallet is being refilled for network fees. This can take some hours."
    ),
    "fees_high": gettext_lazy("The network's fees are very high just now. It goes on by itself when they fall."),
    "fee_unknown": gettext_lazy("The network does not say what a transaction costs just now. It goes on by itself."),
    "node_down": gettext_lazy("Our connection to the network is down. It goes on by itself when the network is back."),
    "node_refused": gettext_lazy("The network's node did not take the question. We try again."),
    "signer": gettext_lazy("Waiting for the signer."),
    "fault": gettext_lazy(
        "Something went wrong on our side, and we were told. Your money is held for this withdrawal meanwhile."
    ),
    "broadcast_refused": gettext_lazy("The network did not take the transaction yet. We try again."),
    "hot_wallet_busy": gettext_lazy("An earlier payment has to be confirmed first."),
    "reconciling": gettext_lazy("The books are being compared with the chain. It goes on by itself."),
}


@dataclass(frozen=True, slots=True)
class Stage:
    """`look` is "done", "now", "wait" or "bad". `txid` and its page stand where the step is about a transaction, `reached` of
    `wanted` confirmations where it counts them."""

    title: str
    detail: str
    look: str
    at: datetime | None
    txid: str = ""
    explorer: str = ""
    reached: int = 0
    wanted: int = 0


def of_withdrawal(withdrawal: WithdrawalView) -> tuple[Stage, ...]:
    """The stages of a payment out; of one that ended otherwise, those it took, and how it ended."""
    taken = {step.state: step for step in withdrawal.steps}
    if withdrawal.state in _ENDED:
        last = taken.get(withdrawal.state)
        ending = Stage(str(_ENDED[withdrawal.state]), _ended_detail(withdrawal), "bad", last.at if last else None)
        return (*(_done(withdrawal, row) for row in _rows(withdrawal, taken) if row.step), ending)
    under_way = _UNDER_WAY.get(withdrawal.state, 0)
    return tuple(
        _done(withdrawal, row) if row.number < under_way else _coming(withdrawal, row, under_way)
        for row in _rows(withdrawal, taken)
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """One stage, whether or not it was reached; `step` is the state that ended it, None where it was not."""

    number: int
    title: str
    detail: str
    step: Step | None


def _rows(withdrawal: WithdrawalView, taken: dict[str, Step]) -> list[_Row]:
    waiting = str(_WAITING.get(withdrawal.waiting, ""))
    counted = {
        "done": min(withdrawal.confirmations, withdrawal.confirmations_required), "wanted": withdrawal.confirmations_required,
    }  # fmt: skip
    confirmed = Step("requested", withdrawal.confirmed_at) if withdrawal.confirmed_at else None
    rows = [_Row(0, _("Requested"), _("Amount and fee are set aside."), Step("requested", withdrawal.requested_at))]
    if confirmed or withdrawal.confirm_until:
        rows.append(
            _Row(1, _("Confirmed by e-mail"), _("We sent you a link. Follow it, look, and confirm."), confirmed)
        )
    if "review" in taken:
        looked = _("A person looks at this one before it goes out.")
        rows.append(_Row(2, _("Looked at by a person"), looked, _agreed(withdrawal)))
    rows.append(_Row(3, _("Signed"), waiting or _("The signer checks it against its own limits."), taken.get("signed")))
    sent, block = _("Waiting for a block."), _("%(done)s of %(wanted)s confirmations.") % counted
    if _called_back(withdrawal):
        sent = _("We are calling it back. Which of the two transactions comes into a block, the network decides.")
        block = _("%(done)s of %(wanted)s confirmations, and then amount and fee are available again.") % counted
    mined = _("Called back") if _mined_back(withdrawal) else _("In a block")
    return [
        *rows,
        _Row(4, _("Sent to the network"), waiting or sent, taken.get("broadcast")),
        _Row(_IN_A_BLOCK, mined, block, taken.get("confirmed")),
        _Row(6, _("Final"), _("The receiver has it for good."), taken.get("final")),
    ]


def _agreed(withdrawal: WithdrawalView) -> Step | None:
    """The first approval after the last look; a later one is a batch that was gathered anew."""
    agreed = None
    for step in withdrawal.steps:
        if step.state == "review":
            agreed = None
        elif step.state == "approved":
            agreed = agreed or step
    return agreed


def _called_back(withdrawal: WithdrawalView) -> bool:
    """Staff asked the network to give the coins back, and what is mined so far does not say otherwise."""
    if withdrawal.state == "broadcast":
        return any(each.kind == "cancel" for each in withdrawal.transactions)
    return _mined_back(withdrawal)


def _mined_back(withdrawal: WithdrawalView) -> bool:
    mined = withdrawal.state in ("confirmed", "failed")
    return mined and any(each.kind == "cancel" and each.txid == withdrawal.txid for each in withdrawal.transactions)


def _done(withdrawal: WithdrawalView, row: _Row) -> Stage:
    if row.step is None:
        return Stage(row.title, "", "done", None)
    txid = row.step.txid if row.number in (4, 5) else ""
    explorer = next((each.explorer for each in withdrawal.transactions if each.txid == txid), "")
    return Stage(row.title, "", "done", row.step.at, txid, explorer)


def _coming(withdrawal: WithdrawalView, row: _Row, under_way: int) -> Stage:
    """The stage it is at, or one that comes after it."""
    now = row.number == under_way
    wanted = withdrawal.confirmations_required if now and row.number == _IN_A_BLOCK else 0
    reached = min(withdrawal.confirmations, wanted)
    return Stage(
        row.title, row.detail if now else "", _look(row.number, under_way), None, reached=reached, wanted=wanted
    )


def _look(number: int, under_way: int) -> str:
    return "now" if number == under_way else "wait"


def _ended_detail(withdrawal: WithdrawalView) -> str:
    available = _("Amount and fee are available again.")
    if not withdrawal.reason:
        return available
    reason = said(withdrawal.reason)
    return f"{available} {reason[0].upper()}{reason[1:]}"
