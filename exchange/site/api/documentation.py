"""The OpenAPI document made readable: operations by tag, with their fields laid out, for a template.

Pure. What must never happen here: anything that is not in the document, so that page and document cannot differ.
"""

from __future__ import annotations

from typing import Any

_DEPTH_MAX = 4


def readable(document: dict[str, Any]) -> dict[str, Any]:
    """What templates/site/api_docs.html shows."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation["tags"][0], []).append(_operation(path, method, operation, document))
    return {
        "title": document["info"]["title"],
        "description": document["info"].get("description", ""),
        "groups": [{"name": name, "operations": operations} for name, operations in sorted(groups.items())],
        "error_fields": _fields(document["components"]["schemas"]["Error"], document),
    }


def _operation(path: str, method: str, operation: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    answers = [
        {"status": status, "fields": _fields(answer["content"]["application/json"]["schema"], document)}
        for status, answer in sorted(operation["responses"].items())
        if status != "default" and "content" in answer
    ]
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation.get("summary", ""),
        "description": operation.get("description", ""),
        "log_in": bool(operation.get("security")) and {} not in operation["security"],
        "parameters": [
            {
                "name": parameter["name"],
                "where": parameter["in"],
                "type": _type(parameter.get("schema", {})),
                "required": parameter.get("required", False),
                "description": parameter.get("description", ""),
            }
            for parameter in operation.get("parameters", [])
        ],
        "body": _fields(body, document) if body else [],
        "answers": answers,
    }


def _fields(schema: dict[str, Any], document: dict[str, Any], prefix: str = "", depth: int = 0) -> list[dict[str, Any]]:
    """A flat list: "data[].price", its type, its words."""
    schema = _resolved(schema, document)
    if schema.get("type") == "array":
        return _fields(schema["items"], document, prefix + "[]", depth) if depth < _DEPTH_MAX else []
    required = schema.get("required", [])
    rows: list[dict[str, Any]] = []
    for name, given in schema.get("properties", {}).items():
        inner = _resolved(given, document)
        path = f"{prefix}.{name}" if prefix else name
        rows.append(
            {
                "name": path,
                "type": _type(inner) + (" or null" if given.get("nullable") or inner.get("nullable") else ""),
                "required": name in required,
                "description": given.get("description") or inner.get("description", ""),
                "choices": inner.get("enum", []),
            }
        )
        if depth < _DEPTH_MAX and inner.get("type") in ("object", "array"):
            rows += _fields(inner, document, path, depth + 1)
    return rows


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return _resolved(document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], document)
    if "allOf" in schema or "oneOf" in schema:
        first = _resolved((schema.get("allOf") or schema["oneOf"])[0], document)
        return {**first, **{key: value for key, value in schema.items() if key not in ("allOf", "oneOf")}}
    return schema


def _type(schema: dict[str, Any]) -> str:
    if schema.get("type") == "array":
        return "list"
    return {"date-time": "time", "uuid": "UUID", "email": "e-mail"}.get(
        schema.get("format", ""), schema.get("type", "string")
    )
