"""What a customer asks us to send, and what staff say to it. Nothing here touches a coin.

A request and its hold are one transaction; the hold has the withdrawal's own id. What must never happen here: a row
without its hold, a second row for one idempotency key, or money freed while a signed transaction may exist.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from celery import current_app
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Sum

from exchange.assets import selectors as assets
from exchange.assets.selectors import AssetNetworkView
from exchange.audit import services as audit
from exchange.core import amounts
from exchange.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from exchange.ledger import selectors as ledger
from exchange.ledger.selectors import stops as ledger_stops
from exchange.ledger.services import holds
from kyc.services import limits
from wallets import books, lifecycle, nodes, routes, selectors
from wallets.chains.protocol import AddressInvalid as ChainAddressInvalid
from wallets.chains.protocol import AddressWrongNetwork as ChainAddressWrongNetwork
from wallets.lifecycle import State
from wallets.models import Address, Withdrawal
from wallets.records import WithdrawalView
from wallets.services import releasing, steps
from wallets.services.addresses import NetworkDisabled

KEY_LENGTH_MAX = 200
REASON_LENGTH_MAX = 500
LIMIT_WINDOW = timedelta(hours=24)
NOT_COUNTED = (State.CANCELLED, State.REJECTED, State.FAILED)


class AmountTooSmall(InvalidRequest):
    code = "amount_too_small"


class AddressInvalid(InvalidRequest):
    code = "address_invalid"


class AddressWrongNetwork(InvalidRequest):
    code = "address_wrong_network"


class AddressNotAllowed(InvalidRequest):
    code = "address_not_allowed"


class AccountFrozen(PermissionDenied):
    code = "account_frozen"


class IdempotencyKeyMissing(InvalidRequest):
    code = "idempotency_key_missing"


class IdempotencyMismatch(Conflict):
    code = "idempotency_mismatch"


class WithdrawalNotFound(NotFound):
    code = "withdrawal_not_found"


class WithdrawalNotCancellable(Conflict):
    code = "withdrawal_not_cancellable"


class WithdrawalState(Conflict):
    code = "withdrawal_state"


def request(
    *, user_id: int, asset: str, network: str, address: str, amount: str, idempotency_key: str, now: datetime
) -> WithdrawalView:
    """Asks for `amount` (decimal text; what the receiver gets) to be sent; holds it and the fee until it is final.

    The same key and body again give the first withdrawal. Raises the errors of this module and InsufficientFunds,
    Stopped, LimitExceeded, AssetNotFound, NetworkNotFound, AmountInvalid, AmountPrecision, AmountRange; then nothing moved.
    """
    if not isinstance(idempotency_key, str) or not 0 < len(idempotency_key) <= KEY_LENGTH_MAX:
        raise IdempotencyKeyMissing("A withdrawal needs an idempotency key of 1 to 200 characters.")
    link = assets.asset_network(asset=asset, network=network)
    base_units = amounts.parse(amount, decimals=link.decimals, param="amount")
    destination = _destination(address, link)
    asked = {
        "asset_id": link.asset_id,
        "network_id": link.network_id,
        "address": destination,
        "amount": base_units,
    }
    first = _same_key(user_id, idempotency_key, asked)
    if first is not None:
        return selectors.withdrawal(user_id, first)
    _judge(user_id, link, base_units, destination)
    try:
        withdrawal_id = _place(user_id, link, asked, idempotency_key, now=now)
    except IntegrityError:
        # The same key came in twice at once; the other one was first.
        first = _same_key(user_id, idempotency_key, asked)
        if first is None:
            raise
        withdrawal_id = first
    return selectors.withdrawal(user_id, withdrawal_id)


def _destination(address: str, link: AssetNetworkView) -> str:
    """The canonical text of a good address on this network that is no trap."""
    rules = nodes.rules(link.network)
    try:
        parsed = rules.parse(address if isinstance(address, str) else "")
    except ChainAddressWrongNetwork:
        raise AddressWrongNetwork("This address belongs to another network.", param="address") from None
    except ChainAddressInvalid:
        raise AddressInvalid(f"This is not an address of the {link.network} network.", param="address") from None
    traps = {other.contract.lower() for other in assets.asset_networks(network=link.network, enabled_only=False)}
    ours = Address.objects.filter(network_id=link.network_id, script=parsed.key, purpose=Address.Purpose.HOT)
    if parsed.text.lower() in traps - {""} or ours.exists():
        raise AddressNotAllowed("Coins cannot be sent to this address.", param="address")
    return str(parsed.text)


def _same_key(user_id: int, key: str, asked: dict[str, Any]) -> UUID | None:
    row = Withdrawal.objects.filter(owner_id=user_id, idempotency_key=key).first()
    if row is None:
        return None
    if any(getattr(row, name) != value for name, value in asked.items()):
        raise IdempotencyMismatch("This idempotency key was used for another withdrawal.")
    return row.id


def _judge(user_id: int, link: AssetNetworkView, amount: int, destination: str) -> None:
    """Everything that can be refused before money is looked at."""
    ledger_stops.ensure_open("withdrawals")
    if not routes.usable(link):
        raise NetworkDisabled(f"{link.asset_code} over {link.network} is switched off at the moment.", param="network")
    least = link.min_withdrawal
    if link.family == "utxo":
        least = max(least, nodes.rules(link.network).dust(destination))
    if amount < least:
        text = amounts.format(least, decimals=link.decimals)
        raise AmountTooSmall(f"The least that can be withdrawn is {text} {link.asset_code}.", param="amount")
    if ledger.is_frozen(owner_id=user_id):
        raise AccountFrozen("This account is frozen. Please write to support.")


def _place(user_id: int, link: AssetNetworkView, asked: dict[str, Any], key: str, *, now: datetime) -> UUID:
    """The row, the hold and the first steps, in one transaction. IntegrityError when the key is taken."""
    with transaction.atomic():
        account_id = books.customer(owner_id=user_id, asset_id=link.asset_id, now=now)
        withdrawal = Withdrawal.objects.create(
            owner_id=user_id,
            fee=link.withdrawal_fee,
            state=State.REQUESTED,
            idempotency_key=key,
            account_id=account_id,
            requested_at=now,
            **asked,
        )
        limits.lock(user_id)
        limits.check_withdrawal(
            user_id=user_id,
            asset_id=link.asset_id,
            amount=withdrawal.amount,
            already=_left_lately(user_id, withdrawal.id, now=now),
            now=now,
        )
        total = withdrawal.amount + withdrawal.fee
        try:
            holds.place(id=withdrawal.id, account_id=account_id, amount=total, now=now, reference="withdrawal")
        except holds.InsufficientFunds as short:
            raise holds.InsufficientFunds(short.message, param="amount") from None
        steps.tell(withdrawal, now=now)
        why = _needs_review(link, withdrawal.amount)
        if why:
            steps.enter(withdrawal, State.REVIEW, reason=why, now=now)
        else:
            steps.enter(withdrawal, State.APPROVED, approved_at=now, now=now)
            _advance_soon(withdrawal.id)
    return withdrawal.id


def _left_lately(user_id: int, but: UUID, *, now: datetime) -> dict[int, int]:
    rows = (
        Withdrawal.objects.filter(owner_id=user_id, requested_at__gt=now - LIMIT_WINDOW)
        .exclude(state__in=NOT_COUNTED)
        .exclude(id=but)
        .values("asset_id")
        .annotate(sum=Sum("amount"))
    )
    return {row["asset_id"]: int(row["sum"]) for row in rows}


def _needs_review(link: AssetNetworkView, amount: int) -> str:
    """Why staff must approve this one, "" when they need not. The policy engine will stand here."""
    limit = getattr(settings, "WALLETS_REVIEW_ABOVE", {}).get(link.asset_code)
    if limit is not None and amount > amounts.parse(limit, decimals=link.decimals):
        return f"above {limit} {link.asset_code}"
    return ""


def _advance_soon(withdrawal_id: UUID) -> None:
    """Wakes the worker after the commit. A broker that is down only costs time: the schedule finds it."""
    transaction.on_commit(
        lambda: current_app.send_task(
            "wallets.advance_withdrawal", args=[str(withdrawal_id)], queue="chain", retry=False
        ),
        robust=True,
    )


def cancel(*, user_id: int, withdrawal_id: UUID, now: datetime) -> WithdrawalView:
    """Gives the money back, until the signer has been asked. Raises WithdrawalNotFound, WithdrawalNotCancellable."""
    with transaction.atomic():
        withdrawal = _locked(withdrawal_id)
        if withdrawal.owner_id != user_id:
            raise WithdrawalNotFound("There is no such withdrawal.")
        if withdrawal.state == State.CANCELLED:
            return selectors.withdrawal(user_id, withdrawal_id)
        if State(withdrawal.state) not in lifecycle.CANCELLABLE:
            raise WithdrawalNotCancellable("This withdrawal is already on its way.")
        releasing.release(withdrawal, now=now)
        steps.enter(withdrawal, State.CANCELLED, now=now)
        holds.void(id=withdrawal.id, now=now)
    return selectors.withdrawal(user_id, withdrawal_id)


def approve(*, withdrawal_id: UUID, actor_id: int, now: datetime) -> None:
    """Staff let a withdrawal under review go on. Raises WithdrawalNotFound, WithdrawalState."""
    with transaction.atomic():
        withdrawal = _under_review(withdrawal_id)
        before = {"state": withdrawal.state, "reason": withdrawal.reason}
        steps.enter(withdrawal, State.APPROVED, approved_at=now, approved_by=actor_id, reason="", now=now)
        _record("withdrawal.approve", withdrawal, actor_id, before=before, now=now)
        _advance_soon(withdrawal.id)


def reject(*, withdrawal_id: UUID, actor_id: int, reason: str, now: datetime) -> None:
    """Staff refuse a withdrawal under review; the money is the customer's again. Raises WithdrawalNotFound, WithdrawalState."""
    with transaction.atomic():
        withdrawal = _under_review(withdrawal_id)
        before = {"state": withdrawal.state, "reason": withdrawal.reason}
        steps.enter(withdrawal, State.REJECTED, reason=reason[:REASON_LENGTH_MAX], now=now)
        _record("withdrawal.reject", withdrawal, actor_id, before=before, now=now)
        holds.void(id=withdrawal.id, now=now)


def _under_review(withdrawal_id: UUID) -> Withdrawal:
    withdrawal = _locked(withdrawal_id)
    if withdrawal.state != State.REVIEW:
        raise WithdrawalState(f"This withdrawal is {withdrawal.state}, not under review.")
    return withdrawal


def _locked(withdrawal_id: UUID) -> Withdrawal:
    withdrawal = Withdrawal.objects.select_for_update().filter(pk=withdrawal_id).first()
    if withdrawal is None:
        raise WithdrawalNotFound("There is no such withdrawal.")
    return withdrawal


def _record(action: str, withdrawal: Withdrawal, actor_id: int, *, before: dict[str, Any], now: datetime) -> None:
    audit.record(
        actor_id=actor_id,
        action=action,
        subject=f"withdrawal:{withdrawal.id}",
        before=before,
        after={"state": withdrawal.state, "reason": withdrawal.reason},
        now=now,
    )
