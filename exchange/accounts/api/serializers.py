"""Input that is refused when it is not exactly what was asked for: REST framework's fields, made strict.

What must never happen here: a number taken where a decimal string belongs (JSON numbers are floats on their way), or a field
that is not known silently dropped: the person who misspelt "price" must hear of it before the order is placed.
"""

from __future__ import annotations

from typing import Any, TypeVar

from rest_framework import serializers

from exchange.core.errors import InvalidRequest

AMOUNT_PATTERN = r"^[0-9]+(\.[0-9]+)?$"
_S = TypeVar("_S", bound="Strict")


class BodyInvalid(InvalidRequest):
    """The body is JSON, but not an object."""

    code = "body_invalid"


class FieldInvalid(InvalidRequest):
    """A field is missing or of the wrong form; `code` says which of the two and more."""

    code = "field_invalid"

    def __init__(self, message: str, *, param: str | None, code: str = "field_invalid") -> None:
        super().__init__(message, param=param)
        self.code = code  # type: ignore[misc]


class FieldUnknown(InvalidRequest):
    """A field or a query parameter that does not exist here."""

    code = "unknown_field"


class Text(serializers.CharField):
    """A JSON string and nothing else; a number or a boolean is not one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class DecimalText(Text):
    """A decimal number in a string. Its size and precision are judged in the domain, which knows the asset or market."""

    default_error_messages = {"amount_invalid": 'An amount is a decimal number in a string, such as "0.05".'}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("amount_invalid")
        return super().to_internal_value(data)

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=100, trim_whitespace=False, **options)


class Strict(serializers.Serializer):
    """A serializer that refuses fields it does not know."""

    def to_internal_value(self, data: Any) -> Any:
        refuse_unknown(data, known=self.fields)
        return super().to_internal_value(data)


def refuse_unknown(data: Any, *, known: Any) -> None:
    """Raises FieldUnknown for the first field of `data` that is not among the `known`; BodyInvalid when it is no object."""
    if not isinstance(data, dict):
        raise BodyInvalid("The body is a JSON object.")
    for name in data:
        if name not in known:
            raise FieldUnknown(
                f"There is no field {name[:50]!r} here. Known: {', '.join(sorted(known))}.", param=name[:50]
            )


def checked(kind: type[_S], data: Any) -> dict[str, Any]:
    """The body's fields after `kind` has judged them; raises InvalidRequest or REST framework's ValidationError."""
    form = kind(data=data)
    form.is_valid(raise_exception=True)
    return dict(form.validated_data)
