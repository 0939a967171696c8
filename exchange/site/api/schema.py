"""OpenAPI: what drf-spectacular cannot see by itself. The order path's plain async views (trading/api/described.py), the
log-in, the error shape.

What must never happen here: a description that the running server does not keep; the tests call what is described.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension

from exchange.accounts.api import signing
from trading.api import described

PREFIX = "/api/v1/"
WAYS = ("session", "token", "key")
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
    """The ways to log in."""

    target_class = "exchange.accounts.api.authentication.CustomerAuthentication"
    name = list(WAYS)

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        return [
            {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME},
            {"type": "apiKey", "in": "header", "name": "X-Session-Token"},
            {
                "type": "apiKey",
                "in": "header",
                "name": signing.KEY_HEADER,
                "description": f"With {signing.TIMESTAMP_HEADER} and {signing.SIGNATURE_HEADER}: docs/api.md says how to sign.",
            },
        ]


def only_the_api(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """The endpoints to describe: ours, and the order path's plain views through their descriptions."""
    ours = [endpoint for endpoint in endpoints if endpoint[0].startswith(PREFIX)]
    for path, method, view in described.VIEWS:
        shown = path.replace("<int:", "{").replace("<str:", "{").replace(">", "}")
        ours.append((PREFIX + shown, PREFIX + path, method, view.as_view()))
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
            if "requestBody" in operation:
                operation["requestBody"]["required"] = True  # though each of its fields may be left out
            if operation.get("security") == [{way: [] for way in WAYS}]:
                operation["security"] = _ways(operation)
    return result


def _ways(operation: dict[str, Any]) -> list[dict[str, list[str]]]:
    """One way or another, not all of them together; a key where the view takes keys (`x-scope` names the scope)."""
    return [{way: []} for way in WAYS if way != "key" or operation.get("x-scope")]
