"""Invoices over REST. Each view makes one call and shapes its answer.

What must never happen here: another merchant's invoice (it is not found, like one that never was).
"""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from exchange.accounts.api import pages, query_parameters
from exchange.accounts.api.serializers import checked
from exchange.accounts.api.views import CustomerView
from exchange.invoices import selectors
from exchange.invoices.api import answers, forms, shapes
from exchange.invoices.services import invoices


class InvoicesView(CustomerView):
    """GET and POST invoices."""

    scope = "trade"

    parameters: ClassVar[tuple[str, ...]] = ("limit", "cursor")

    @extend_schema(
        operation_id="invoices",
        summary="Own invoices, newest first",
        tags=["invoices"],
        parameters=[query_parameters.LIMIT, query_parameters.UUID_CURSOR],
        responses=answers.InvoicePage,
    )
    def get(self, request: Request) -> Response:
        wanted = pages.limit(request)
        rows = selectors.invoices(self.user_id, before=pages.uuid_cursor(request), limit=wanted + 1)
        return Response(pages.page(rows, wanted=wanted, key=lambda row: row.id, shape=shapes.invoice))

    @extend_schema(
        operation_id="create_invoice",
        summary="Ask somebody for coins",
        description="Makes an invoice at an address of its own. What is paid there is credited to you.",
        tags=["invoices"],
        request=forms.NewInvoice,
        responses={201: answers.Invoice},
    )
    def post(self, request: Request) -> Response:
        fields = checked(forms.NewInvoice, request.data)
        view = invoices.create(merchant_id=self.user_id, now=self.now, **fields)
        return Response(shapes.invoice(view), status=201)


class InvoiceView(CustomerView):
    """GET invoices/{id}."""

    @extend_schema(operation_id="invoice", summary="One invoice", tags=["invoices"], responses=answers.Invoice)
    def get(self, request: Request, invoice_id: UUID) -> Response:
        return Response(shapes.invoice(selectors.invoice(invoice_id, merchant_id=self.user_id)))
