"""What the API shows of invoices. What must never happen here: an amount as a number."""

from __future__ import annotations

from typing import Any

from exchange.core import amounts
from exchange.core.times import iso
from exchange.invoices import selectors


def invoice(view: selectors.InvoiceView) -> dict[str, Any]:
    return {
        "id": str(view.id),
        "asset": view.asset,
        "network": view.network,
        "amount": amounts.format(view.amount, decimals=view.decimals),
        "address": view.address,
        "uri": view.uri,
        "order_reference": view.order_reference,
        "state": view.state,
        "exception": view.exception,
        "created_at": iso(view.created_at),
        "expires_at": iso(view.expires_at),
        "settled_at": iso(view.settled_at) if view.settled_at is not None else None,
        "payments": [payment(each, decimals=view.decimals) for each in view.payments],
    }


def payment(view: selectors.PaymentView, *, decimals: int) -> dict[str, Any]:
    return {
        "deposit_id": str(view.deposit_id),
        "txid": view.txid,
        "amount": amounts.format(view.amount, decimals=decimals),
        "state": view.state,
        "seen_at": iso(view.seen_at),
    }
