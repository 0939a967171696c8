"""What a customer asks us to send, and takes back again. Nothing here touches a coin.

A request and its hold are one transaction; the hold has the withdrawal's own id. What must never happen here: a row
without its hold, a second row for one idempotency key, or money freed while a signed transaction may exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from custody.selectors import DecisionView
from exchange.accounts.services import pauses
from exchange.assets import selectors as assets
from exchange.assets.selectors import AssetNetworkView
from exchange.core import amounts
from exchange.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from exchange.core.ids import uuid7
from exchange.ledger.services import holds
from kyc.services import limits
from wallets import books, faults, lifecycle, selectors
from wallets.lifecycle import State
from wallets.models import Withdrawal
from wallets.records import WithdrawalView
from wallets.services import confirming, deciding, quoting, releasing, screening, steps

KEY_LENGTH_MAX = 200


class IdempotencyKeyMissing(InvalidRequest):
    code = "idempotency_key_missing"


class IdempotencyMismatch(Conflict):
    code = "idempotency_mismatch"


class WithdrawalNotFound(NotFound):
    code = "withdrawal_not_found"


class WithdrawalNotCancellable(Conflict):
    code = "withdrawal_not_cancellable"


class PolicyBlocked(PermissionDenied):
    code = "policy_blocked"


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request, checked; amounts in base units. `confirmed_by` is what stands for the customer's word, "" for nothing yet."""

    user_id: int
    link: AssetNetworkView
    address: str
    amount: int
    fee: int
    destination_class: str
    key: str
    confirmed_by: str


def request(
    *,
    user_id: int,
    asset: str,
    network: str,
    address: str,
    amount: str,
    idempotency_key: str,
    fee: str | None = None,
    confirmed_by: str = "",
    now: datetime,
) -> WithdrawalView:
    """Asks for `amount` (decimal text; what the receiver gets) to be sent; holds it and the fee until it is final.

    `fee` is the fee that was shown and agreed to; None takes whatever it is. `confirmed_by` names what else than the e-mail
    confirms it (an API key with that right, a second factor): "" waits for the link in the e-mail where that is asked for.
    The same key and body again give the first withdrawal. Raises the errors of this module, of `quoting` and `address_book`,
    and InsufficientFunds, Stopped, WithdrawalsPaused, LimitExceeded, WorthUnknown, AssetNotFound, NetworkNotFound,
    AmountInvalid, AmountPrecision, AmountRange; then nothing moved.
    """
    if not isinstance(idempotency_key, str) or not 0 < len(idempotency_key) <= KEY_LENGTH_MAX:
        raise IdempotencyKeyMissing("A withdrawal needs an idempotency key of 1 to 200 characters.")
    link = assets.asset_network(asset=asset, network=network)
    base_units = amounts.parse(amount, decimals=link.decimals, param="amount")
    destination = quoting.destination(address, link)
    body = {
        "asset_id": link.asset_id,
        "network_id": link.network_id,
        "address": destination,
        "amount": base_units,
    }
    first = _same_key(user_id, idempotency_key, body)
    if first is not None:
        return selectors.withdrawal(user_id, first)
    pauses.check(user_id=user_id, now=now)
    if screening.refuses(user_id=user_id, network=link.network, address=destination, now=now):
        raise PolicyBlocked(deciding.REFUSED)
    asked = _Asked(
        user_id=user_id,
        link=link,
        address=destination,
        amount=base_units,
        fee=quoting.agreed_fee(fee, link),
        destination_class=quoting.judge(user_id=user_id, link=link, amount=base_units, address=destination, now=now),
        key=idempotency_key,
        confirmed_by=confirmed_by,
    )
    quoting.ensure_funds(user_id=user_id, link=link, amount=base_units)
    with transaction.atomic():
        withdrawal_id, refusal = _place(asked, body, now=now)
        faults.passing("withdrawal.request.before_commit")
    faults.passing("withdrawal.request.after_commit")
    if refusal is not None:
        # After the commit: the decision stays on record though nothing else happened.
        raise PolicyBlocked(deciding.plain(refusal))
    return selectors.withdrawal(user_id, withdrawal_id)


def _same_key(user_id: int, key: str, body: dict[str, Any]) -> UUID | None:
    row = Withdrawal.objects.filter(owner_id=user_id, idempotency_key=key).first()
    if row is None:
        return None
    if any(getattr(row, name) != value for name, value in body.items()):
        raise IdempotencyMismatch("This idempotency key was used for another withdrawal.")
    return row.id


def _place(asked: _Asked, body: dict[str, Any], *, now: datetime) -> tuple[UUID, DecisionView | None]:
    """The decision, the row, the hold and the first steps; or the decision alone, where it is no."""
    deciding.serialize(asset_id=asked.link.asset_id)
    limits.lock(asked.user_id)
    pauses.check_in_transaction(user_id=asked.user_id, now=now)
    # The same key may have come in twice at once; the other one was first.
    first = _same_key(asked.user_id, asked.key, body)
    if first is not None:
        return first, None
    worth = limits.check_withdrawal(user_id=asked.user_id, asset_id=asked.link.asset_id, amount=asked.amount, now=now)
    withdrawal_id = uuid7()
    decision = deciding.decide(
        withdrawal_id=withdrawal_id,
        asset_id=asked.link.asset_id,
        network_id=asked.link.network_id,
        amount=asked.amount,
        destination_class=asked.destination_class,
        owner_id=asked.user_id,
        now=now,
    )
    if decision.effect == deciding.BLOCK:
        return withdrawal_id, decision
    _write(withdrawal_id, asked, {**body, "worth": worth}, decision, now=now)
    return withdrawal_id, None


def _write(withdrawal_id: UUID, asked: _Asked, body: dict[str, Any], decision: DecisionView, *, now: datetime) -> None:
    account_id = books.customer(owner_id=asked.user_id, asset_id=asked.link.asset_id, now=now)
    by_mail = settings.WITHDRAWAL_EMAIL_CONFIRMATION and not asked.confirmed_by
    withdrawal = Withdrawal.objects.create(
        id=withdrawal_id,
        owner_id=asked.user_id,
        fee=asked.fee,
        state=State.REQUESTED,
        waiting=confirming.WAITING if by_mail else "",
        destination_class=asked.destination_class,
        decision_id=decision.id,
        idempotency_key=asked.key,
        account_id=account_id,
        requested_at=now,
        confirmed_by=asked.confirmed_by,
        confirmed_at=now if asked.confirmed_by else None,
        **body,
    )
    try:
        holds.place(
            id=withdrawal.id, account_id=account_id, amount=asked.amount + asked.fee, now=now, reference="withdrawal"
        )
    except holds.InsufficientFunds as short:
        raise holds.InsufficientFunds(short.message, param="amount") from None
    steps.tell(withdrawal, now=now)
    if by_mail:
        confirming.ask(withdrawal, now=now)
    else:
        deciding.go_on(withdrawal, decision, now=now)


def cancel(*, user_id: int, withdrawal_id: UUID, now: datetime) -> WithdrawalView:
    """Gives the money back, until the signer has been asked. Raises WithdrawalNotFound, WithdrawalNotCancellable."""
    with transaction.atomic():
        try:
            withdrawal = releasing.lock(withdrawal_id)
        except Withdrawal.DoesNotExist:
            raise WithdrawalNotFound("There is no such withdrawal.") from None
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


def cancel_all(*, user_id: int, now: datetime) -> int:
    """Takes back everything of this customer's that the signer was not asked for yet; how many. A transaction each."""
    found = Withdrawal.objects.filter(owner_id=user_id, state__in=lifecycle.CANCELLABLE).order_by("requested_at", "id")
    cancelled = 0
    for withdrawal_id in list(found.values_list("id", flat=True)):
        try:
            cancel(user_id=user_id, withdrawal_id=withdrawal_id, now=now)
        except WithdrawalNotCancellable:  # on its way by now
            continue
        cancelled += 1
    return cancelled
