"""What the bank states, for reconciliation. What must never happen here: a statement that is changed after it was recorded."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Coalesce

from exchange.assets import selectors as assets
from exchange.audit import services as audit
from exchange.core import amounts
from exchange.core.errors import InvalidRequest
from exchange.fiat.models import BankDeposit, BankStatement
from exchange.fiat.services.booking import BANK_LABEL, CURRENCY
from exchange.ledger.journal import Kind
from exchange.ledger.reconciliation import Outside
from exchange.ledger.services import accounts


class StatementFromTheFuture(InvalidRequest):
    code = "as_of_invalid"


def record(*, balance: str, as_of: datetime, actor_id: int, now: datetime) -> int:
    """Keeps the balance (decimal text) that the bank states for a moment; the statement's id."""
    asset = assets.asset(CURRENCY)
    stated = amounts.parse(balance, decimals=asset.decimals, param="balance")
    if as_of > now:
        raise StatementFromTheFuture("A statement is of the past.", param="as_of")
    with transaction.atomic():
        row = BankStatement.objects.create(
            asset_id=asset.id, balance=stated, as_of=as_of, recorded_by=actor_id, created_at=now
        )
        audit.record(
            actor_id=actor_id,
            action="bank_statement.record",
            subject=f"bank_statement:{row.id}",
            after={"balance": str(stated), "as_of": as_of.isoformat()},
            now=now,
        )
    return row.id


def outside(now: datetime) -> Iterable[Outside]:
    """For reconciliation: the newest statement, and what was booked since as the difference that is explained."""
    statement = BankStatement.objects.order_by("-as_of", "-id").first()
    if statement is None:
        return []
    booked = BankDeposit.objects.annotate(booked_at=Coalesce("held_at", "settled_at"))
    since = booked.filter(asset_id=statement.asset_id, booked_at__gt=statement.as_of)
    bank = accounts.open(kind=Kind.BANK, asset_id=statement.asset_id, label=BANK_LABEL, now=now)
    return [
        Outside(
            account_id=bank,
            amount_seen=statement.balance,
            as_of=statement.as_of,
            pending=int(since.aggregate(sum=Sum("settled"))["sum"] or 0),
        )
    ]
