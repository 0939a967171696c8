"""What is said about each event, and to whom: one function a kind, from an event's payload to words.

What must never happen here: a number worked out anew (amounts come as decimal text in the payload), or words about one
person's money for another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exchange.notifications import account_messages, screening_messages, verification_messages
from exchange.notifications.message import Message as Message


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


def deposit_held(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=payload["user_id"],
        kind="deposit_held",
        title=f"Deposit of {_money(payload)} confirmed, not credited yet",
        body=f"{_money(payload)} arrived over {payload['network']} and is safe. It is not credited yet: your deposits page says "
        "why, and what you can do. In most cases nothing: it is credited by itself.",
        link="/wallet/history/",
        facts=(("Amount", _money(payload)), ("Network", payload["network"]), ("Transaction", payload["txid"])),
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


def withdrawal_requested(payload: dict[str, Any]) -> Message:
    """The line in the inbox. The link itself goes by mail alone: whoever stole a session must not find it here."""
    return _withdrawal(
        payload,
        kind="requested",
        title="Confirm your withdrawal of {money}",
        body="Look into your e-mail and confirm it within half an hour. Until then nothing leaves.",
    )


def withdrawal_confirmation(payload: dict[str, Any], *, token: str, minutes: int) -> Message:
    """The mail with the link; nothing but this text ever holds the token."""
    return Message(
        user_id=payload["user_id"],
        kind="withdrawal_confirmation",
        title=f"Confirm your withdrawal of {_money(payload)}",
        body=f"Somebody logged in as you asked for this withdrawal. Compare the whole address, then confirm it within "
        f"{minutes} minutes. If this was not you, do not open the link: nothing leaves without it.",
        link=f"/wallet/withdrawals/confirm/{token}/",
        facts=_withdrawal_facts(payload),
        action="Look at it and confirm",
        once=False,
        not_me=True,
    )


def withdrawal_review(payload: dict[str, Any]) -> Message:
    return _withdrawal(
        payload,
        kind="review",
        title="Withdrawal of {money} is being looked at",
        body="A person looks at this one before it goes out. You can cancel it until it is signed.",
    )


def withdrawal_approved(payload: dict[str, Any]) -> Message:
    return _withdrawal(
        payload,
        kind="approved",
        title="Withdrawal of {money} accepted",
        body="It is signed and sent next. You can cancel it until it is signed.",
    )


def withdrawal_sent(payload: dict[str, Any]) -> Message:
    return _withdrawal(
        payload, kind="sent", title="Withdrawal of {money} sent", body="{money} is on its way to {address}."
    )


def withdrawal_final(payload: dict[str, Any]) -> Message:
    return _withdrawal(
        payload,
        kind="final",
        title="Withdrawal of {money} has arrived",
        body="The network has it for good; nobody can take it back.",
    )


def withdrawal_cancelled(payload: dict[str, Any]) -> Message:
    return _withdrawal(
        payload,
        kind="cancelled",
        title="Withdrawal of {money} cancelled",
        body="Amount and fee are back in your balance.",
    )


def withdrawal_refused(payload: dict[str, Any]) -> Message:
    return _withdrawal(
        payload,
        kind="refused",
        title="Withdrawal of {money} not sent",
        body="It was refused and the money is back in your balance.",
    )


def _withdrawal(payload: dict[str, Any], *, kind: str, title: str, body: str) -> Message:
    """What all steps of a withdrawal say: what, how much, the fee, where to, and the transaction once there is one."""
    words = {"money": _money(payload), "address": payload["address"]}
    return Message(
        user_id=payload["user_id"],
        kind=f"withdrawal_{kind}",
        title=title.format(**words),
        body=body.format(**words),
        link=f"/wallet/withdrawals/{payload['withdrawal_id']}/",
        facts=_withdrawal_facts(payload),
        not_me=True,
    )


def _withdrawal_facts(payload: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    facts = (
        ("Amount", _money(payload)),
        ("Fee", f"{payload['fee']} {payload['asset']}"),
        ("Network", payload["network"]),
        ("To", payload["address"]),
        ("Transaction", payload.get("txid") or ""),
        ("Reason", payload.get("reason") or ""),
    )
    return tuple((name, value) for name, value in facts if value)


_BOOK_CHANGES = {
    "added": ("Address added to your list", "It can be used from {usable_at} on. If this was not you, remove it now."),
    "relabelled": ("Address renamed on your list", "Its label is “{label}” now."),
    "removed": ("Address removed from your list", "It is off your list from this moment."),
    "tightened": ("Coins leave to your list only", "From this moment withdrawals go to addresses of your list alone."),
    "loosened": (
        "Your list will stop being asked for",
        "From {usable_at} on withdrawals may go to any address. If this was not you, switch it on again now.",
    ),
}


def address_book_changed(payload: dict[str, Any]) -> Message:
    title, body = _BOOK_CHANGES[payload["what"]]
    usable_at = str(payload.get("usable_at") or "")[:16].replace("T", " ")
    names = (("Address", "address"), ("Label", "label"), ("Network", "network"))
    return Message(
        user_id=payload["user_id"],
        kind="address_book_changed",
        title=title,
        body=body.format(usable_at=f"{usable_at} UTC", label=payload.get("label", "")),
        link="/wallet/addresses/",
        facts=tuple((title, str(payload[name])) for title, name in names if payload.get(name)),
        not_me=True,
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


def bank_deposit_held(payload: dict[str, Any]) -> Message:
    why = {
        "limit": "It passes your limit for bank deposits, and is credited by itself when there is room or your level rises.",
        "price": "No price is known at present that your limit could be counted with. It is credited as soon as there is one.",
    }
    return Message(
        user_id=payload["user_id"],
        kind="bank_deposit_held",
        title=f"Bank transfer of {_money(payload)} arrived, not credited yet",
        body=f"{_money(payload)} arrived with reference {payload['reference']} and is safe. {why[payload['held_for']]}",
        link="/account/limits/",
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
        title=f"Proposed: {_money(payload)} back from cold",
        body="Somebody else than who proposed it has to look at it and approve it.",
        link=f"/admin/wallets/coldproposal/{payload['payout_id']}/change/",
        facts=(("Amount", _money(payload)), ("Network", payload["network"])),
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
    "wallets.deposit_credited": deposit_credited,
    "wallets.deposit_orphaned": deposit_reversed,
    "wallets.deposit_held": deposit_held,
    "wallets.withdrawal_requested": withdrawal_requested,
    "wallets.withdrawal_review": withdrawal_review,
    "wallets.withdrawal_approved": withdrawal_approved,
    "wallets.withdrawal_sent": withdrawal_sent,
    "wallets.withdrawal_final": withdrawal_final,
    "wallets.withdrawal_cancelled": withdrawal_cancelled,
    "wallets.withdrawal_refused": withdrawal_refused,
    "wallets.address_book_changed": address_book_changed,
    "fiat.deposit_credited": bank_deposit_credited,
    "fiat.deposit_held": bank_deposit_held,
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
    **account_messages.BY_TOPIC,
    **screening_messages.BY_TOPIC,
    **verification_messages.BY_TOPIC,
}
# The inbox has a line of these; their mail holds a secret, and whoever makes the secret sends it.
MAILED_BY_OTHERS = frozenset({"wallets.withdrawal_requested"})


def _money(payload: dict[str, Any]) -> str:
    return f"{payload['amount']} {payload['asset']}"
