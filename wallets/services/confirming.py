"""The link in the e-mail by which a customer says that a withdrawal is theirs: what a stolen session alone cannot do.

The token is random, made when the mail is sent, and only its hash is kept; it is good for half an hour and once. Opening the
link shows what is confirmed and changes nothing (mail scanners open links); a button confirms. What must never happen here: a
token in the database or in a log, money held for a link that can no longer be followed, or a second use.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction

from exchange.accounts.services import pauses
from exchange.core.errors import Conflict, NotFound
from exchange.ledger import selectors as ledger
from exchange.ledger.services import holds
from exchange.notifications import money_messages
from exchange.notifications.message import Message
from exchange.outbox.registry import Event
from kyc.services import limits
from wallets import faults, selectors
from wallets.lifecycle import State
from wallets.models import Withdrawal, WithdrawalConfirmation
from wallets.records import WithdrawalView
from wallets.services import address_book, deciding, releasing, steps
from wallets.services.quoting import AccountFrozen

log = structlog.get_logger(__name__)

# What `waiting` says while the link was not followed, and `confirmed_by` once it was.
WAITING = BY_MAIL = "email"
VALID_FOR = timedelta(minutes=30)
EXPIRED_AT_ONCE = 500
TOO_LATE = "It was not confirmed by e-mail in time."


class ConfirmationInvalid(NotFound):
    code = "confirmation_invalid"


class ConfirmationUsed(Conflict):
    code = "confirmation_used"


class ConfirmationOver(Conflict):
    code = "confirmation_over"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a link is about. `open` is whether its button still does something."""

    withdrawal: WithdrawalView
    expires_at: datetime
    confirmed: bool
    open: bool


def ask(withdrawal: Withdrawal, *, now: datetime) -> None:
    """Starts the half hour. The mail follows from the outbox, after the commit."""
    WithdrawalConfirmation.objects.create(withdrawal=withdrawal, expires_at=now + VALID_FOR)


def mail(event: Event) -> Message | None:
    """Makes the token and the mail around it; anew for each attempt, and the token before is void then. None once it is over."""
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        row = (
            WithdrawalConfirmation.objects.select_for_update(of=("self",))
            .select_related("withdrawal")
            .filter(pk=event.payload["withdrawal_id"])
            .first()
        )
        if row is None or row.withdrawal.state != State.REQUESTED or row.expires_at <= event.now:
            return None
        row.token_hash, row.sent_at = _hash(token), event.now
        row.save(update_fields=["token_hash", "sent_at"])
    return money_messages.withdrawal_confirmation(event.payload, token=token, minutes=VALID_FOR.seconds // 60)


def look(*, token: str, now: datetime) -> Confirmation:
    """What the link is about; changes nothing. Raises ConfirmationInvalid for a link that never was or was replaced."""
    row = _of(token)
    waiting = row.withdrawal.state == State.REQUESTED
    return Confirmation(
        withdrawal=selectors.withdrawal(row.withdrawal.owner_id, row.withdrawal_id),
        expires_at=row.expires_at,
        confirmed=row.confirmed_at is not None,
        open=waiting and row.confirmed_at is None and row.expires_at > now,
    )


def confirm(*, token: str, now: datetime) -> WithdrawalView:
    """The customer wants it. The policy is asked again, for rules, list and sums may have changed since the request.

    Raises ConfirmationInvalid, ConfirmationUsed, ConfirmationOver (expired or cancelled), WithdrawalsPaused,
    AccountFrozen.
    """
    found = _of(token).withdrawal
    with transaction.atomic():
        deciding.serialize(asset_id=found.asset_id)
        limits.lock(found.owner_id)
        withdrawal = releasing.lock(found.id)
        row = WithdrawalConfirmation.objects.select_for_update().get(pk=found.id)
        if row.token_hash != _hash(token):
            raise ConfirmationInvalid("This link is no good any more. A newer one was sent.")
        if row.confirmed_at is not None:
            raise ConfirmationUsed("This withdrawal was confirmed already.")
        if withdrawal.state != State.REQUESTED or row.expires_at <= now:
            raise ConfirmationOver("It is too late to confirm this withdrawal. The money is free again.")
        # Asked for before a credential was changed or the account frozen: it waits no longer than its half hour, and goes back.
        pauses.check_in_transaction(user_id=withdrawal.owner_id, now=now)
        if ledger.is_frozen(owner_id=withdrawal.owner_id):
            raise AccountFrozen("This account is frozen. Please write to support.")
        row.confirmed_at = withdrawal.confirmed_at = now
        row.save(update_fields=["confirmed_at"])
        withdrawal.confirmed_by = BY_MAIL
        _judge_again(withdrawal, now=now)
        faults.passing("withdrawal.confirm.before_commit")
    faults.passing("withdrawal.confirm.after_commit")
    return selectors.withdrawal(found.owner_id, found.id)


def expire(*, now: datetime) -> int:
    """Cancels what was not confirmed in time and frees the money; the number cancelled. A transaction each."""
    due = WithdrawalConfirmation.objects.filter(
        confirmed_at=None, expires_at__lte=now, withdrawal__state=State.REQUESTED
    )
    ids = list(due.order_by("expires_at").values_list("withdrawal_id", flat=True)[:EXPIRED_AT_ONCE])
    return sum(_expire(withdrawal_id, now=now) for withdrawal_id in ids)


def _expire(withdrawal_id: UUID, *, now: datetime) -> bool:
    with transaction.atomic():
        withdrawal = releasing.lock(withdrawal_id)
        if withdrawal.state != State.REQUESTED:
            return False  # confirmed or cancelled while we came
        steps.enter(withdrawal, State.CANCELLED, reason=TOO_LATE, now=now)
        holds.void(id=withdrawal.id, now=now)
    return True


def _judge_again(withdrawal: Withdrawal, *, now: datetime) -> None:
    try:
        withdrawal.destination_class = address_book.allowed(
            user_id=withdrawal.owner_id, network_id=withdrawal.network_id, address=withdrawal.address, now=now
        )
    except (address_book.AddressNotListed, address_book.AddressCoolingDown) as refused:
        steps.enter(withdrawal, State.REJECTED, reason=refused.message, now=now)
        holds.void(id=withdrawal.id, now=now)
        return
    decision = deciding.decide(
        withdrawal_id=withdrawal.id,
        asset_id=withdrawal.asset_id,
        network_id=withdrawal.network_id,
        amount=withdrawal.amount,
        destination_class=withdrawal.destination_class,
        owner_id=withdrawal.owner_id,
        now=now,
    )
    deciding.go_on(withdrawal, decision, now=now)


def _of(token: str) -> WithdrawalConfirmation:
    row = WithdrawalConfirmation.objects.select_related("withdrawal").filter(token_hash=_hash(token)).first()
    if row is None:
        raise ConfirmationInvalid("This link is no good. Look for the newest e-mail, or ask for the withdrawal again.")
    return row


def _hash(token: str) -> str:
    # A token of 256 random bits needs no slow hash: nobody guesses it, and whoever reads the hash learns nothing.
    return hashlib.sha256(token.encode()).hexdigest()
