"""JSON Schemas of what goes over the websocket, made from the serializers and forms of the API.

What must never happen here: a schema that lets through a field which nobody described.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from trading.api import answers, forms
from trading.api.forms import Field, Form

Schema = dict[str, Any]

DECIMAL: Schema = {"type": "string", "pattern": r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$", "description": "A decimal number."}
TIME: Schema = {
    "type": "string",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$",
    "description": "ISO 8601 in UTC, with microseconds.",
}
LEVEL: Schema = {
    "type": "array",
    "items": {"$ref": "#/components/schemas/Decimal"},
    "minItems": 2,
    "maxItems": 2,
    "description": "Price and quantity.",
}
ID: Schema = {"type": ["integer", "string"], "maxLength": 64, "description": "Yours; it comes back with the answer."}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def listed(schema: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": schema, **more}


def record(properties: Mapping[str, Schema], *, optional: tuple[str, ...] = (), description: str = "") -> Schema:
    """An object with these properties and no others."""
    schema: Schema = {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }
    return {"description": description, **schema} if description else schema


def components() -> dict[str, Schema]:
    """By name, all that messages are made of."""
    named = {
        kind.__name__: _of_serializer(kind())
        for kind in (answers.Market, answers.Trade, answers.Candle, answers.Ticker, answers.Order, answers.Fill)
    }
    amounts = dict.fromkeys(("balance", "held", "available"), ref("Decimal"))
    own = {
        "Decimal": DECIMAL,
        "Time": TIME,
        "Level": LEVEL,
        "Id": ID,
        "Notification": record(
            {"id": {"type": "integer"}, "kind": {"type": "string"}, "title": {"type": "string"}, "body": {"type": "string"},
             "link": {"type": "string", "description": "A path of this site."}, "created_at": ref("Time"),
             "read": {"type": "boolean"}}
        ),
        "Balance": record({"asset": {"type": "string"}, **amounts}),
        "Price": record(
            {"asset": {"type": "string"}, "currency": {"type": "string"}, "price": ref("Decimal"), "as_of": ref("Time"),
             "source": {"type": "string"}}
        ),
        "Error": record(
            {"type": {"type": "string"}, "code": {"type": "string"}, "message": {"type": "string"},
             "param": {"type": ["string", "null"]}},
            description="Write programs against `code`: it does not change.",
        ),
    }  # fmt: skip
    return {**own, **named}


def request(op: str, form: Form | Mapping[str, Schema]) -> Schema:
    """A message of the client's: `op`, the form's fields, perhaps an `id`."""
    fields = {name: _of_field(field) if isinstance(field, Field) else field for name, field in form.items()}
    optional = [name for name, field in form.items() if isinstance(field, Field) and not field.required]
    return record({"op": {"const": op}, **fields, "id": ref("Id")}, optional=("id", *optional))


def answer(type: str, properties: Mapping[str, Schema]) -> Schema:
    """What the server says to it."""
    return record({"type": {"const": type}, **properties, "id": ref("Id")}, optional=("id",))


def news(channel: str, type: str, data: Schema) -> Schema:
    """A message of a channel; `channel` is a pattern of its name."""
    return record({"channel": {"type": "string", "pattern": f"^{channel}$"}, "type": {"const": type}, "data": data})


def _of_serializer(serializer: serializers.Serializer) -> Schema:
    properties = {name: _of_answer(field) for name, field in serializer.fields.items()}
    return record(properties, description=(type(serializer).__doc__ or "").strip())


def _of_answer(field: serializers.Field) -> Schema:
    schema: Schema
    if isinstance(field, serializers.ChoiceField):
        schema = {"type": "string", "enum": list(field.choices)}
    elif isinstance(field, serializers.DateTimeField):
        schema = ref("Time")
    elif isinstance(field, serializers.BooleanField):
        schema = {"type": "boolean"}
    elif isinstance(field, serializers.IntegerField):
        schema = {"type": "integer"}
    elif field.help_text == "A decimal number.":
        schema = ref("Decimal")
    elif isinstance(field, serializers.CharField):
        schema = {"type": "string"}
    else:
        raise TypeError(f"no schema for {field!r}")
    if field.help_text and "$ref" not in schema:
        schema["description"] = str(field.help_text)
    return nullable(schema) if field.allow_null else schema


def _of_field(field: Field) -> Schema:
    if field.kind == "choice":
        schema: Schema = {"type": "string", "enum": list(field.choices)}
    elif field.kind == "flag":
        schema = {"type": "boolean"}
    elif field.kind == "whole":
        schema = {"type": "integer", "minimum": 0, "maximum": field.most}
    elif field.kind == "amount":
        schema = {"type": "string", "pattern": DECIMAL["pattern"], "maxLength": forms.AMOUNT_MAX}
    else:
        schema = {"type": "string", "minLength": 1, "maxLength": field.most}
    return {**schema, "description": field.help} if field.help else schema
