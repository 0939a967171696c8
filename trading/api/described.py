"""The order path for the OpenAPI document: it is plain async views (exchange.site.api.hot), which drf-spectacular cannot see.

Nothing here is routed. What must never happen here: a description that the running server does not keep; the tests send each
example.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exchange.accounts.api import query_parameters
from exchange.accounts.api.views import CustomerView
from trading.api import answers, forms, views

KEY = query_parameters.idempotency_key(
    "Optional: sent again with the same body, the first answer comes back. client_order_id does the same.",
    required=False,
)
PlaceOrder = forms.described("PlaceOrder", forms.PLACE, "An order to be placed.")
PlaceOco = forms.described("PlaceOco", forms.OCO, "A limit order and a stop order of the same quantity.")
AmendOrder = forms.described("AmendOrder", forms.AMEND, "What is to change; at least one of them.")
CancelAfter = forms.described("CancelAfter", forms.COUNTDOWN, "The countdown.")


class BatchItem(serializers.Serializer):
    """One command: `op` and the fields of that command. amend and cancel name their order by order_id or client_order_id."""

    op = serializers.ChoiceField(choices=["place", "amend", "cancel"])


for _name, _field in {**forms.REFERENCE, **forms.AMEND, **forms.PLACE}.items():
    _described = forms.described("_", {_name: forms.optional(_field)}, "")()
    BatchItem._declared_fields[_name] = _described.fields[_name]


class Batch(serializers.Serializer):
    """Up to 50 commands."""

    orders = serializers.ListField(child=BatchItem(), min_length=1, max_length=forms.BATCH_MAX)


def _sent(name: str, **value: Any) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


_BTC = {"market": "BTC-USDT", "side": "sell"}
PLACE_EXAMPLES = [
    _sent("limit", **_BTC, type="limit", price="61000", quantity="0.01", client_order_id="spring-1"),
    _sent("limit, good till a time, post-only", **_BTC, type="limit", price="61000", quantity="0.01",
          time_in_force="GTD", expires_at="2099-12-31T23:59:59Z", post_only=True),
    _sent("iceberg", **_BTC, type="limit", price="61000", quantity="0.01", display_quantity="0.002"),
    _sent("market, by quantity", **_BTC, type="market", quantity="0.01", slippage="0.5"),
    _sent("market, by quote amount", market="BTC-USDT", side="buy", type="market", quote_amount="100"),
    _sent("stop", **_BTC, type="stop", stop_price="50000", quantity="0.01"),
    _sent("stop-limit", **_BTC, type="stop_limit", stop_price="50000", price="49900", quantity="0.01"),
    _sent("take-profit", **_BTC, type="take_profit", stop_price="70000", quantity="0.01"),
    _sent("take-profit-limit", **_BTC, type="take_profit_limit", stop_price="70000", price="69900", quantity="0.01"),
    _sent("trailing stop", **_BTC, type="trailing_stop", trail_percent="1.5", quantity="0.01"),
]  # fmt: skip
OCO_EXAMPLES = [_sent("oco", **_BTC, quantity="0.01", price="70000", stop_price="50000", stop_limit_price="49900")]
AMEND_EXAMPLES = [_sent("less: keeps its place", quantity="0.005"), _sent("another price: loses it", price="61500")]
BATCH_EXAMPLES = [
    _sent(
        "batch",
        orders=[
            {"op": "place", **_BTC, "type": "limit", "price": "62000", "quantity": "0.01", "client_order_id": "b-1"},
            {"op": "amend", "client_order_id": "spring-1", "price": "61500"},
            {"op": "cancel", "client_order_id": "spring-1"},
        ],
    )
]
COUNTDOWN_EXAMPLES = [_sent("set or renew", seconds=60), _sent("take back", seconds=0)]


class PlaceOrderView(CustomerView):
    scope = "trade"

    @extend_schema(
        operation_id="place_order",
        summary="Place an order",
        description="201 with the order; 200 when this client_order_id had placed it before. After outcome_unknown (504) ask for "
        "the order by its client_order_id, or send the same request again.",
        tags=["orders"],
        parameters=[KEY],
        request=PlaceOrder,
        responses={201: answers.Order, 200: answers.Order},
        examples=PLACE_EXAMPLES,
    )
    def post(self, request: Request) -> Response:
        raise NotImplementedError

    @extend_schema(
        operation_id="cancel_all_orders",
        summary="Cancel all orders",
        description="Or those of one market, of one side, or of both. Orders in a halted market stay.",
        tags=["orders"],
        parameters=[views.MARKET, views.SIDE],
        responses={200: answers.Cancelled},
    )
    def delete(self, request: Request) -> Response:
        raise NotImplementedError


class ChangeOrderView(CustomerView):
    scope = "trade"

    @extend_schema(
        operation_id="amend_order",
        summary="Amend an order",
        description="Less quantity alone keeps its place in the book; anything else goes behind the others at its price.",
        tags=["orders"],
        request=AmendOrder,
        responses=answers.Order,
        examples=AMEND_EXAMPLES,
    )
    def patch(self, request: Request, order_id: int) -> Response:
        raise NotImplementedError

    @extend_schema(
        operation_id="cancel_order", summary="Cancel an order", tags=["orders"], responses={200: answers.Order}
    )
    def delete(self, request: Request, order_id: int) -> Response:
        raise NotImplementedError


class ChangeOrderByClientIdView(CustomerView):
    scope = "trade"

    @extend_schema(
        operation_id="amend_order_by_client_id",
        summary="Amend an order by your own id",
        tags=["orders"],
        request=AmendOrder,
        responses=answers.Order,
    )
    def patch(self, request: Request, client_order_id: str) -> Response:
        raise NotImplementedError

    @extend_schema(
        operation_id="cancel_order_by_client_id",
        summary="Cancel an order by your own id",
        tags=["orders"],
        responses={200: answers.Order},
    )
    def delete(self, request: Request, client_order_id: str) -> Response:
        raise NotImplementedError


class PlaceOcoView(CustomerView):
    scope = "trade"

    @extend_schema(
        operation_id="place_oco",
        summary="Place two orders of which one cancels the other",
        description="A limit order, always post-only, and a stop order of the same quantity: both are placed, or neither. The "
        "first fill of the one, even in part, cancels the other; so does the other's trigger.",
        tags=["orders"],
        parameters=[KEY],
        request=PlaceOco,
        responses={201: answers.Pair, 200: answers.Pair},
        examples=OCO_EXAMPLES,
    )
    def post(self, request: Request) -> Response:
        raise NotImplementedError


class BatchView(CustomerView):
    scope = "trade"

    @extend_schema(
        operation_id="batch_orders",
        summary="Up to 50 commands at once",
        description="In this order within a market, each with its own outcome: one that fails stops no other. Counts as many "
        "requests as it has commands.",
        tags=["orders"],
        parameters=[KEY],
        request=Batch,
        responses=answers.Outcomes,
        examples=BATCH_EXAMPLES,
    )
    def post(self, request: Request) -> Response:
        raise NotImplementedError


class CancelAfterView(CustomerView):
    scope = "trade"

    @extend_schema(
        operation_id="cancel_after",
        summary="Dead man's switch",
        description="All your orders are cancelled in so many seconds, unless you ask again before. One countdown a customer.",
        tags=["orders"],
        request=CancelAfter,
        responses=answers.Countdown,
        examples=COUNTDOWN_EXAMPLES,
    )
    def post(self, request: Request) -> Response:
        raise NotImplementedError


_BY_ID, _BY_OWN_ID = "orders/<int:order_id>", "orders/by-client-id/<str:client_order_id>"
VIEWS: list[tuple[str, str, type[CustomerView]]] = [
    ("orders", "GET", views.OrdersView),
    ("orders", "POST", PlaceOrderView),
    ("orders", "DELETE", PlaceOrderView),
    ("orders/oco", "POST", PlaceOcoView),
    ("orders/batch", "POST", BatchView),
    ("orders/cancel-after", "POST", CancelAfterView),
    (_BY_ID, "GET", views.OrderView),
    (_BY_ID, "PATCH", ChangeOrderView),
    (_BY_ID, "DELETE", ChangeOrderView),
    (_BY_OWN_ID, "GET", views.OrderByClientIdView),
    (_BY_OWN_ID, "PATCH", ChangeOrderByClientIdView),
    (_BY_OWN_ID, "DELETE", ChangeOrderByClientIdView),
]
