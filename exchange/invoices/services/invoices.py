"""Creates invoices. What must never happen here: two invoices at one address, or two for one order of a merchant's."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from exchange.assets import selectors as assets
from exchange.core import amounts
from exchange.core.errors import Conflict, InvalidRequest, TooMany
from exchange.core.ids import uuid7
from exchange.invoices import selectors
from exchange.invoices.machine import State
from exchange.invoices.models import Invoice
from exchange.outbox import services as outbox
from wallets.services import addresses

EXPIRY = timedelta(minutes=15)
MONITORING = timedelta(hours=24)
OPEN_MAX = 1000
REFERENCE_LENGTH_MAX = 120


class AmountTooSmall(InvalidRequest):
    code = "amount_too_small"


class OrderReferenceInvalid(InvalidRequest):
    code = "order_reference_invalid"


class OrderReferenceUsed(Conflict):
    """This order has an invoice, and it is another one."""

    code = "order_reference_used"


class TooManyOpen(TooMany):
    code = "too_many_invoices"


def create(
    *, merchant_id: int, asset: str, network: str, amount: str, order_reference: str = "", now: datetime
) -> selectors.InvoiceView:
    """An invoice over `amount` (decimal text) at an address of its own; the same order reference and body: the first.

    Raises AssetNotFound, NetworkNotFound, AmountTooSmall, OrderReferenceInvalid, OrderReferenceUsed, TooManyOpen, the
    errors of amounts and those of wallets' addresses.
    """
    link = assets.asset_network(asset=asset, network=network)
    asked = amounts.parse(amount, decimals=link.decimals, param="amount")
    if asked < max(1, link.min_deposit):
        least = amounts.format(link.min_deposit, decimals=link.decimals)
        raise AmountTooSmall(f"The least that is credited is {least} {asset}.", param="amount")
    _check_reference(order_reference)
    body = {"asset": asset, "network": network, "amount": asked}
    if (first := _first(merchant_id, order_reference, body)) is not None:
        return first
    try:
        return _create(merchant_id, link, asked, order_reference, now)
    except IntegrityError:  # the same order came in twice at once; the other one was first
        first = _first(merchant_id, order_reference, body)
        if first is None:
            raise
        return first


def _create(
    merchant_id: int, link: assets.AssetNetworkView, amount: int, order_reference: str, now: datetime
) -> selectors.InvoiceView:
    with transaction.atomic():
        if Invoice.objects.filter(merchant_id=merchant_id, state=State.NEW).count() >= OPEN_MAX:
            raise TooManyOpen(f"{OPEN_MAX} invoices are open already.")
        invoice_id = uuid7()
        address = addresses.fresh(
            user_id=merchant_id,
            asset=link.asset_code,
            network=link.network,
            reference=f"invoice:{invoice_id}",
            now=now,
        )
        row = Invoice.objects.create(
            id=invoice_id,
            merchant_id=merchant_id,
            asset_id=link.asset_id,
            asset=link.asset_code,
            network=link.network,
            decimals=link.decimals,
            amount=amount,
            address=address.address,
            order_reference=order_reference,
            created_at=now,
            expires_at=now + EXPIRY,
            monitored_until=now + EXPIRY + MONITORING,
        )
        tell(row, now=now)
    return selectors.view(row)


def tell(row: Invoice, *, now: datetime) -> None:
    """The news of an invoice's state, for webhooks and pages; in the caller's transaction."""
    outbox.append(
        topic="invoices.changed",
        key=f"invoice:{row.id}",
        payload={
            "invoice_id": str(row.id),
            "merchant_id": row.merchant_id,
            "order_reference": row.order_reference,
            "state": row.state,
            "exception": row.exception,
            "asset": row.asset,
            "network": row.network,
            "amount": amounts.format(row.amount, decimals=row.decimals),
        },
        now=now,
    )


def _check_reference(text: str) -> None:
    if not isinstance(text, str) or len(text) > REFERENCE_LENGTH_MAX or not (text == "" or text.isprintable()):
        raise OrderReferenceInvalid(
            f"An order reference has at most {REFERENCE_LENGTH_MAX} printable characters.", param="order_reference"
        )


def _first(merchant_id: int, order_reference: str, body: dict[str, object]) -> selectors.InvoiceView | None:
    if not order_reference:
        return None
    row = Invoice.objects.filter(merchant_id=merchant_id, order_reference=order_reference).first()
    if row is None:
        return None
    if any(getattr(row, name) != value for name, value in body.items()):
        raise OrderReferenceUsed("This order has another invoice already.", param="order_reference")
    return selectors.view(row)
