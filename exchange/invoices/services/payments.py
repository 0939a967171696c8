"""Follows what is paid: wallets' news only say where to look, and what is true is read from wallets then.

So news may come late, twice or out of order. What must never happen here: a state that is set and not worked out.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from exchange.invoices import machine
from exchange.invoices.models import Invoice, Payment
from exchange.invoices.services.invoices import tell
from exchange.outbox.registry import Event
from wallets import selectors as wallets

CREDITED = "credited"
ON_THE_WAY = ("seen", "confirming")  # other states: vanished, orphaned, or too small to be credited
BATCH = 500


def follow(event: Event) -> None:
    """Takes the news of a deposit; those that are not at an invoice's address are none of ours."""
    found = Invoice.objects.filter(network=event.payload["network"], address=event.payload["address"])
    invoice_id = found.values_list("id", flat=True).first()
    if invoice_id is None or found.get().asset_id != event.payload["asset_id"]:
        return
    with transaction.atomic():
        row = Invoice.objects.select_for_update().get(id=invoice_id)
        deposit = wallets.deposit(event.payload["user_id"], UUID(event.payload["deposit_id"]))
        Payment.objects.update_or_create(
            deposit_id=deposit.id,
            defaults={
                "invoice": row,
                "txid": deposit.txid,
                "amount": deposit.amount,
                "state": deposit.state,
                "seen_at": deposit.seen_at,
            },
        )
        _settle_state(row, now=event.now)


def expire_due(*, now: datetime) -> Counter[str]:
    """Looks again at what time alone has changed: new ones past their expiry, processing ones past their monitoring."""
    due = Invoice.objects.filter(
        Q(state=machine.State.NEW, expires_at__lte=now) | Q(state=machine.State.PROCESSING, monitored_until__lte=now)
    ).order_by("expires_at")
    outcomes: Counter[str] = Counter()
    for invoice_id in list(due.values_list("id", flat=True)[:BATCH]):
        with transaction.atomic():
            row = Invoice.objects.select_for_update().get(id=invoice_id)
            _settle_state(row, now=now)
            outcomes[row.state] += 1
    return outcomes


def _settle_state(row: Invoice, *, now: datetime) -> None:
    """Works the state out anew, under the row's lock, and tells of it where it changed."""
    payments = [
        machine.Payment(amount=p.amount, seen_at=p.seen_at, credited=p.state == CREDITED)
        for p in row.payments.all()
        if p.state in (*ON_THE_WAY, CREDITED)
    ]
    terms = machine.Terms(amount=row.amount, expires_at=row.expires_at, monitored_until=row.monitored_until)
    state, exception = machine.judge(terms, payments, was_settled=row.settled_at is not None, now=now)
    if (row.state, row.exception) == (state, exception):
        return
    row.state, row.exception = state.value, exception.value
    if state == machine.State.SETTLED and row.settled_at is None:
        row.settled_at = now
    row.save(update_fields=["state", "exception", "settled_at"])
    tell(row, now=now)
