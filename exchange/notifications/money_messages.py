"""What is said about money that comes and goes.

What must never happen here: a number worked out anew (amounts come as decimal text in the payload), or words about one person's
money for another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from exchange.notifications.message import Message

HISTORY = "/wallet/history/"


def money(payload: dict[str, Any]) -> str:
    return f"{payload['amount']} {payload['asset']}"


def deposit_credited(payload: dict[str, Any]) -> Message:
    said = {"money": money(payload), "network": payload["network"]}
    return Message(
        user_id=payload["user_id"],
        kind="deposit_credited",
        title=_("Deposit of {money} credited").format(**said),
        body=_("{money} arrived over {network} and can be used now.").format(**said),
        link=HISTORY,
        facts=(
            (_("Amount"), money(payload)),
            (_("Network"), payload["network"]),
            (_("Address"), payload["address"]),
            (_("Transaction"), payload["txid"]),
        ),
    )


def deposit_held(payload: dict[str, Any]) -> Message:
    said = {"money": money(payload), "network": payload["network"]}
    return Message(
        user_id=payload["user_id"],
        kind="deposit_held",
        title=_("Deposit of {money} confirmed, not credited yet").format(**said),
        body=_(
            "{money} arrived over {network} and is safe. It is not credited yet: your deposits page says why, and what you can "
            "do. In most cases nothing: it is credited by itself."
        ).format(**said),
        link=HISTORY,
        facts=((_("Amount"), money(payload)), (_("Network"), payload["network"]), (_("Transaction"), payload["txid"])),
    )


def deposit_reversed(payload: dict[str, Any]) -> Message | None:
    """Only where a credit was taken back; a deposit that was never credited is no news."""
    if not payload.get("reversed"):
        return None
    said = {"money": money(payload), "network": payload["network"]}
    return Message(
        user_id=payload["user_id"],
        kind="deposit_reversed",
        title=_("Deposit of {money} taken back").format(**said),
        body=_(
            "The {network} network reorganised and the deposit is not confirmed any more. If it is confirmed again, it is "
            "credited again."
        ).format(**said),
        link=HISTORY,
        facts=((_("Amount"), money(payload)), (_("Network"), payload["network"]), (_("Transaction"), payload["txid"])),
    )


def bank_deposit_credited(payload: dict[str, Any]) -> Message:
    said = {"money": money(payload), "reference": payload["reference"]}
    return Message(
        user_id=payload["user_id"],
        kind="bank_deposit_credited",
        title=_("Bank transfer of {money} credited").format(**said),
        body=_("{money} arrived with reference {reference} and can be used now.").format(**said),
        link=HISTORY,
        facts=((_("Amount"), money(payload)), (_("Reference"), payload["reference"])),
    )


_HELD = {
    "limit": gettext_noop(
        "{money} arrived with reference {reference} and is safe. It passes your limit for bank deposits, and is credited by "
        "itself when there is room or your level rises."
    ),
    "price": gettext_noop(
        "{money} arrived with reference {reference} and is safe. No price is known at present that your limit could be counted "
        "with. It is credited as soon as there is one."
    ),
}


def bank_deposit_held(payload: dict[str, Any]) -> Message:
    said = {"money": money(payload), "reference": payload["reference"]}
    return Message(
        user_id=payload["user_id"],
        kind="bank_deposit_held",
        title=_("Bank transfer of {money} arrived, not credited yet").format(**said),
        body=_(_HELD[payload["held_for"]]).format(**said),
        link="/account/limits/",
        facts=((_("Amount"), money(payload)), (_("Reference"), payload["reference"])),
    )


def withdrawal_requested(payload: dict[str, Any]) -> Message:
    """The line in the inbox. The link itself goes by mail alone: whoever stole a session must not find it here."""
    return _withdrawal(
        payload,
        kind="requested",
        title=_("Confirm your withdrawal of {money}"),
        body=_("Look into your e-mail and confirm it within half an hour. Until then nothing leaves."),
    )


def withdrawal_confirmation(payload: dict[str, Any], *, token: str, minutes: int) -> Message:
    """The mail with the link; nothing but this text ever holds the token."""
    return Message(
        user_id=payload["user_id"],
        kind="withdrawal_confirmation",
        title=_("Confirm your withdrawal of {money}").format(money=money(payload)),
        body=_(
            "Somebody logged in as you asked for this withdrawal. Compare the whole address, then confirm it within {minutes} "
            "minutes. If this was not you, do not open the link: nothing leaves without it."
        ).format(minutes=minutes),
        link=f"/wallet/withdrawals/confirm/{token}/",
        facts=_withdrawal_facts(payload),
        action=_("Look at it and confirm"),
        once=False,
        not_me=True,
    )


def withdrawal_review(payload: dict[str, Any]) -> Message:
    return _withdrawal(
        payload,
        kind="review",
        title=_("Withdrawal of {money} is being looked at"),
        body=_("A person looks at this one before it goes out. You can cancel it until it is signed."),
    )


def withdrawal_approved(payload: dict[str, Any]) -> Message:
    return _withdrawal(
        payload,
        kind="approved",
        title=_("Withdrawal of {money} accepted"),
        body=_("It is signed and sent next. You can cancel it until it is signed."),
    )


def withdrawal_sent(payload: dict[str, Any]) -> Message:
    return _withdrawal(
        payload, kind="sent", title=_("Withdrawal of {money} sent"), body=_("{money} is on its way to {address}.")
    )


def withdrawal_final(payload: dict[str, Any]) -> Message:
    return _withdrawal(
        payload,
        kind="final",
        title=_("Withdrawal of {money} has arrived"),
        body=_("The network has it for good; nobody can take it back."),
    )


def withdrawal_cancelled(payload: dict[str, Any]) -> Message:
    return _withdrawal(
        payload,
        kind="cancelled",
        title=_("Withdrawal of {money} cancelled"),
        body=_("Amount and fee are back in your balance."),
    )


def withdrawal_refused(payload: dict[str, Any]) -> Message:
    return _withdrawal(
        payload,
        kind="refused",
        title=_("Withdrawal of {money} not sent"),
        body=_("It was refused and the money is back in your balance."),
    )


def _withdrawal(payload: dict[str, Any], *, kind: str, title: str, body: str) -> Message:
    """What all steps of a withdrawal say: what, how much, the fee, where to, and the transaction once there is one."""
    words = {"money": money(payload), "address": payload["address"]}
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
        (_("Amount"), money(payload)),
        (_("Fee"), f"{payload['fee']} {payload['asset']}"),
        (_("Network"), payload["network"]),
        (_("To"), payload["address"]),
        (_("Transaction"), payload.get("txid") or ""),
        (_("Reason"), payload.get("reason") or ""),
    )
    return tuple((name, value) for name, value in facts if value)


_BOOK_CHANGES = {
    "added": (
        gettext_noop("Address added to your list"),
        gettext_noop("It can be used from {usable_at} on. If this was not you, remove it now."),
    ),
    "relabelled": (gettext_noop("Address renamed on your list"), gettext_noop("Its label is “{label}” now.")),
    "removed": (gettext_noop("Address removed from your list"), gettext_noop("It is off your list from this moment.")),
    "tightened": (
        gettext_noop("Coins leave to your list only"),
        gettext_noop("From this moment withdrawals go to addresses of your list alone."),
    ),
    "loosened": (
        gettext_noop("Your list will stop being asked for"),
        gettext_noop(
            "From {usable_at} on withdrawals may go to any address. If this was not you, switch it on again now."
        ),
    ),
}


def address_book_changed(payload: dict[str, Any]) -> Message:
    title, body = _BOOK_CHANGES[payload["what"]]
    usable_at = str(payload.get("usable_at") or "")[:16].replace("T", " ")
    names = ((_("Address"), "address"), (_("Label"), "label"), (_("Network"), "network"))
    return Message(
        user_id=payload["user_id"],
        kind="address_book_changed",
        title=_(title),
        body=_(body).format(usable_at=f"{usable_at} UTC", label=payload.get("label", "")),
        link="/wallet/addresses/",
        facts=tuple((name, str(payload[field])) for name, field in names if payload.get(field)),
        not_me=True,
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
}
