"""OpenAPI: what drf-spectacular cannot see by itself. The order path's plain async views, the log-in, the error shape.

What must never happen here: a description that the running server does not keep; the tests call what is described.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from exchange.accounts.api.views import CustomerView
from trading.api import answers, forms

PREFIX = "/api/v1/"
KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Optional: sent again with the same body, the first answer comes back. client_order_id does the same.",
)
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["type", "code", "message", "param"],
            "properties": {
                "type": {
                    "type": "string",
                    "enum": [
                        "invalid_request",
                        "authentication",
                        "permission",
                        "not_found",
                        "conflict",
                        "rate_limited",
                        "unavailable",
                        "outcome_unknown",
                        "internal",
                    ],
                },
                "code": {"type": "string", "description": "Stable; for programs."},
                "message": {"type": "string", "description": "For people."},
                "param": {"type": "string", "nullable": True, "description": "The field or parameter at fault."},
            },
        }
    },
}


class CustomerScheme(OpenApiAuthenticationExtension):
    """Both ways to log in."""

    target_class = "exchange.accounts.api.authentication.CustomerAuthentication"
    name = ["session", "token"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        return [
            {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME},
            {"type": "apiKey", "in": "header", "name": "X-Session-Token"},
        ]


class PlaceOrderDescription(CustomerView):
    """Describes exchange.site.api.hot.orders; nothing is routed here."""

    @extend_schema(
        operation_id="place_order",
        summary="Place an order",
        description="201 with the order; 200 when this client_order_id had placed it before. After outcome_unknown (504) ask for "
        "the order by its client_order_id, or send the same request again.",
        tags=["orders"],
        parameters=[KEY],
        request=forms.PlaceOrder,
        responses={201: answers.Order, 200: answers.Order},
    )
    def post(self, request: Request) -> Response:
        raise NotImplementedError


class CancelOrderDescription(CustomerView):
    """Describes exchange.site.api.hot.order; nothing is routed here."""

    @extend_schema(operation_id="cancel_order", summary="Cancel an order", tags=["orders"], responses=answers.Order)
    def delete(self, request: Request, order_id: int) -> Response:
        raise NotImplementedError


class CancelOrderByClientIdDescription(CustomerView):
    """Describes exchange.site.api.hot.order_by_client_id; nothing is routed here."""

    @extend_schema(
        operation_id="cancel_order_by_client_id",
        summary="Cancel an order by your own id",
        tags=["orders"],
        responses=answers.Order,
    )
    def delete(self, request: Request, client_order_id: str) -> Response:
        raise NotImplementedError


def only_the_api(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """The endpoints to describe: ours, and the plain views through the descriptions above."""
    from trading.api import views

    ours = [endpoint for endpoint in endpoints if endpoint[0].startswith(PREFIX)]
    by_id, by_own_id = f"{PREFIX}orders/{{order_id}}", f"{PREFIX}orders/by-client-id/{{client_order_id}}"
    ours += [
        (f"{PREFIX}orders", f"{PREFIX}orders", "GET", views.OrdersView.as_view()),
        (f"{PREFIX}orders", f"{PREFIX}orders", "POST", PlaceOrderDescription.as_view()),
        (by_id, f"{PREFIX}orders/<int:order_id>", "GET", views.OrderView.as_view()),
        (by_id, f"{PREFIX}orders/<int:order_id>", "DELETE", CancelOrderDescription.as_view()),
        (by_own_id, f"{PREFIX}orders/by-client-id/<str:client_order_id>", "GET", views.OrderByClientIdView.as_view()),
        (
            by_own_id,
            f"{PREFIX}orders/by-client-id/<str:client_order_id>",
            "DELETE",
            CancelOrderByClientIdDescription.as_view(),
        ),
    ]
    return sorted(ours, key=lambda endpoint: (endpoint[0], endpoint[2]))


def with_errors(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Every operation may answer with the error shape."""
    result.setdefault("components", {}).setdefault("schemas", {})["Error"] = _ERROR
    answer = {
        "description": "Anything that went wrong.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    for path in result["paths"].values():
        for operation in path.values():
            operation["responses"]["default"] = answer
    return result
