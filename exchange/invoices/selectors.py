"""Invoices as merchants and payers see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from exchange.assets import selectors as assets
from exchange.core.errors import NotFound
from exchange.invoices import uris
from exchange.invoices.models import Invoice, Payment


class InvoiceNotFound(NotFound):
    code = "invoice_not_found"


@dataclass(frozen=True, slots=True)
class PaymentView:
    """A payment at the invoice's address; `state` is the deposit's. Base units."""

    deposit_id: UUID
    txid: str
    amount: int
    state: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class InvoiceView:
    """An invoice and its payments. Base units; `uri` is what a payer's wallet scans."""

    id: UUID
    merchant_id: int
    asset: str
    asset_id: int
    network: str
    decimals: int
    amount: int
    address: str
    uri: str
    order_reference: str
    state: str
    exception: str
    created_at: datetime
    expires_at: datetime
    settled_at: datetime | None
    payments: tuple[PaymentView, ...]


def invoices(merchant_id: int, *, before: UUID | None = None, limit: int = 50) -> list[InvoiceView]:
    """The merchant's invoices, newest first; the cursor is the last id. Four queries."""
    rows = Invoice.objects.filter(merchant_id=merchant_id)
    if before is not None:
        rows = rows.filter(id__lt=before)
    page = list(rows.order_by("-id").prefetch_related("payments")[:limit])
    known = (
        {(link.asset_code, link.network): link for link in assets.asset_networks(enabled_only=False)} if page else {}
    )
    return [view(row, link=known.get((row.asset, row.network))) for row in page]


def has_open(merchant_id: int) -> bool:
    """Whether one of the merchant's may still be paid. One query."""
    return Invoice.objects.filter(merchant_id=merchant_id, state__in=["new", "processing"]).exists()


def invoice(invoice_id: UUID, *, merchant_id: int | None = None) -> InvoiceView:
    """One invoice: the merchant's own, or any for the payer's page, whose unguessable address is its id."""
    rows = Invoice.objects.filter(id=invoice_id)
    if merchant_id is not None:
        rows = rows.filter(merchant_id=merchant_id)
    row = rows.prefetch_related("payments").first()
    if row is None:
        raise InvoiceNotFound("There is no such invoice.")
    return view(row)


def view(row: Invoice, *, link: assets.AssetNetworkView | None = None) -> InvoiceView:
    """A row as others see it; for this room's services. Reads row.payments."""
    return InvoiceView(
        id=row.id,
        merchant_id=row.merchant_id,
        asset=row.asset,
        asset_id=row.asset_id,
        network=row.network,
        decimals=row.decimals,
        amount=row.amount,
        address=row.address,
        uri=uris.payment(
            asset=row.asset,
            network=row.network,
            address=row.address,
            amount=row.amount,
            decimals=row.decimals,
            link=link,
        ),
        order_reference=row.order_reference,
        state=row.state,
        exception=row.exception,
        created_at=row.created_at,
        expires_at=row.expires_at,
        settled_at=row.settled_at,
        payments=tuple(_payment(payment) for payment in row.payments.all()),
    )


def _payment(row: Payment) -> PaymentView:
    return PaymentView(
        deposit_id=row.deposit_id, txid=row.txid, amount=row.amount, state=row.state, seen_at=row.seen_at
    )
