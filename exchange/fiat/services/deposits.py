"""Bank transfers in: announced by the customer, matched by staff, credited once.

What must never happen here: money credited that no bank transaction stands for, one transaction credited twice, a credit without
the name of who matched it, or money that arrived and is nowhere because a limit keeps it from being credited.
"""

from __future__ import annotations

import secrets
from datetime import datetime

from django.db import IntegrityError, transaction

from exchange.assets import selectors as assets
from exchange.audit import services as audit
from exchange.core import amounts
from exchange.core.errors import Conflict, InvalidRequest, NotFound, TooMany
from exchange.core.ids import uuid7
from exchange.fiat import references, selectors
from exchange.fiat.models import BankDeposit
from exchange.fiat.services import booking
from exchange.fiat.services.booking import CURRENCY
from exchange.ledger.selectors import stops
from kyc.services import limits

ARRIVED = (BankDeposit.State.SETTLED, BankDeposit.State.HELD)
OPEN_MAX = 10
AMOUNT_MAX = 10_000_000_00
BANK_REFERENCE_LENGTH_MAX = 64


class AmountOutOfRange(InvalidRequest):
    code = "amount_out_of_range"


class TooManyAnnounced(TooMany):
    code = "too_many_announced"


class DepositNotFound(NotFound):
    code = "deposit_not_found"


class DepositClosed(Conflict):
    """It was settled or cancelled before, and not like this."""

    code = "deposit_closed"


class BankReferenceUsed(Conflict):
    """This bank transaction was credited already."""

    code = "bank_reference_used"


class BankReferenceInvalid(InvalidRequest):
    code = "bank_reference_invalid"


def announce(*, user_id: int, amount: str, now: datetime) -> selectors.BankDepositView:
    """Gives the customer a reference code for a transfer of `amount` (decimal text). Moves nothing.

    Raises LimitExceeded and WorthUnknown as well: what would not be credited today need not be sent.
    """
    asset = assets.asset(CURRENCY)
    announced = _parse(amount, asset)
    stops.ensure_open("deposits")
    with transaction.atomic():
        limits.check_fiat("in", user_id=user_id, asset_id=asset.id, amount=announced, now=now)
        waiting = BankDeposit.objects.filter(user_id=user_id, state=BankDeposit.State.ANNOUNCED)
        if waiting.count() >= OPEN_MAX:
            raise TooManyAnnounced(f"{OPEN_MAX} transfers are announced already. Cancel one that will not come.")
        row = BankDeposit.objects.create(
            user_id=user_id,
            asset_id=asset.id,
            reference=references.make(secrets.choice),
            announced=announced,
            transfer_id=uuid7(),
            created_at=now,
        )
    return selectors.view(row)


def cancel(*, user_id: int, deposit_id: int, now: datetime) -> selectors.BankDepositView:
    """The customer says that it will not come. Should it come, staff can still settle it by announcing anew."""
    with transaction.atomic():
        row = BankDeposit.objects.select_for_update().filter(id=deposit_id, user_id=user_id).first()
        if row is None:
            raise DepositNotFound("There is no such transfer.")
        if row.state in ARRIVED:
            raise DepositClosed("This transfer has arrived.")
        row.state = BankDeposit.State.CANCELLED
        row.save(update_fields=["state"])
    return selectors.view(row)


def settle(
    *, deposit_id: int, bank_reference: str, amount: str, actor_id: int, origin: str = "", now: datetime
) -> selectors.BankDepositView:
    """Books what arrived (decimal text) under the bank's own reference. The same again changes nothing.

    The sender decides the amount: what passes the customer's limit is booked and held, and credited when there is room or a
    higher level (see holding.py). Raises DepositNotFound, DepositClosed, BankReferenceUsed, BankReferenceInvalid,
    AmountOutOfRange and amounts' errors.
    """
    bank_reference = _bank_reference(bank_reference)
    asset = assets.asset(CURRENCY)
    arrived = _parse(amount, asset)
    try:
        with transaction.atomic():
            row = BankDeposit.objects.select_for_update().filter(id=deposit_id).first()
            if row is None:
                raise DepositNotFound("There is no such transfer.")
            if row.state in ARRIVED and (row.bank_reference, row.settled) == (bank_reference, arrived):
                return selectors.view(row)
            if row.state != BankDeposit.State.ANNOUNCED:
                raise DepositClosed(f"This transfer is {row.get_state_display().lower()} already.")
            limits.lock(row.user_id)
            row.settled, row.bank_reference, row.settled_by = arrived, bank_reference, actor_id
            booking.arrived(row, now=now)
            audit.record(
                actor_id=actor_id,
                action="bank_deposit.settle",
                subject=f"bank_deposit:{row.id}",
                before={"state": "announced", "announced": str(row.announced)},
                after={"state": row.state, "settled": str(arrived), "bank_reference": bank_reference},
                origin=origin,
                now=now,
            )
    except IntegrityError:
        raise BankReferenceUsed("This bank transaction was credited before.", param="bank_reference") from None
    return selectors.view(row)


def _parse(amount: str, asset: assets.AssetView) -> int:
    parsed = amounts.parse(amount, decimals=asset.decimals, param="amount")
    if not 0 < parsed <= AMOUNT_MAX:
        most = amounts.format(AMOUNT_MAX, decimals=asset.decimals)
        raise AmountOutOfRange(f"A transfer is between 0.01 and {most} {asset.code}.", param="amount")
    return parsed


def _bank_reference(text: str) -> str:
    text = text.strip() if isinstance(text, str) else ""
    if not 0 < len(text) <= BANK_REFERENCE_LENGTH_MAX or not text.isprintable():
        raise BankReferenceInvalid(
            f"The bank's reference has 1 to {BANK_REFERENCE_LENGTH_MAX} characters.", param="bank_reference"
        )
    return text
