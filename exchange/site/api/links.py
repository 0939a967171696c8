"""Which answer's id leads to which operation: OpenAPI's links, so that a program (and a test) can walk from one to the other.

What must never happen here: a link to an operation that the document does not have.
Source: OpenAPI 3.0.3, "Link Object" (the expressions are RFC 6901 pointers into the body of the answer).
"""

from __future__ import annotations

from typing import Any

# The parameter → the operations that take it.
_TAKEN_BY = {
    "order_id": ("order", "amend_order", "cancel_order"),
    "client_order_id": ("order_by_client_id", "amend_order_by_client_id", "cancel_order_by_client_id"),
    "deposit_id": ("deposit",),
    "withdrawal_id": ("withdrawal", "cancel_withdrawal"),
    "invoice_id": ("invoice",),
    "application_id": ("application", "send_picture", "remove_picture", "submit_application", "describe_application"),
    "document_id": ("remove_picture",),
    "entry_id": ("relabel_withdrawal_address", "remove_withdrawal_address"),
    "key_id": ("rename_api_key", "revoke_api_key"),
    "symbol": ("market", "book", "candles", "ticker", "market_trades"),
}
# The operation → where its answer says each parameter.
_TOLD_BY: dict[str, dict[str, str]] = {
    "place_order": {"order_id": "/id", "client_order_id": "/client_order_id"},
    "place_oco": {"order_id": "/limit/id"},
    "orders": {"order_id": "/data/0/id", "client_order_id": "/data/0/client_order_id"},
    "order_history": {"order_id": "/data/0/id"},
    "fills": {"order_id": "/data/0/order_id"},
    "deposits": {"deposit_id": "/data/0/id"},
    "request_withdrawal": {"withdrawal_id": "/id"},
    "withdrawals": {"withdrawal_id": "/data/0/id"},
    "create_invoice": {"invoice_id": "/id"},
    "invoices": {"invoice_id": "/data/0/id"},
    "start_application": {"application_id": "/id"},
    "applications": {"application_id": "/data/0/id"},
    "application": {"application_id": "/id", "document_id": "/pictures/0/id"},
    "send_picture": {"application_id": "/id", "document_id": "/pictures/0/id"},
    "add_withdrawal_address": {"entry_id": "/id"},
    "withdrawal_addresses": {"entry_id": "/data/0/id"},
    "api_keys": {"key_id": "/data/0/id"},
    "create_api_key": {"key_id": "/id"},
    "markets": {"symbol": "/data/0/symbol"},
    "tickers": {"symbol": "/data/0/market"},
}


def add(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Puts the links into every answer of these operations that is no error."""
    operations = {each["operationId"]: each for path in result["paths"].values() for each in path.values()}
    for source, told in _TOLD_BY.items():
        links = _links(source, told, operations)
        for status, answer in operations[source]["responses"].items():
            if status.startswith("2"):
                answer.setdefault("links", {}).update(links)
    return result


def _links(source: str, told: dict[str, str], operations: dict[str, Any]) -> dict[str, Any]:
    """One to each operation all of whose parts of the path this answer tells, but not to itself."""
    found: dict[str, Any] = {}
    for target in dict.fromkeys(name for parameter in told for name in _TAKEN_BY[parameter]):
        parts = [each["name"] for each in operations[target].get("parameters", ()) if each["in"] == "path"]
        if target != source and all(part in told for part in parts):
            given = {part: f"$response.body#{told[part]}" for part in parts}
            found[target] = {"operationId": target, "parameters": given}
    return found
