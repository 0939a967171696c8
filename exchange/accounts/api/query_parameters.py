"""Query parameters as the API's documentation describes them, with the bounds that `pages` and the views hold them to.

What must never happen here: a bound that is described and not kept, or kept and not described.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter

from exchange.accounts.api import pages

_UUID = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_CURSOR = "next_cursor of the page before."


def whole(name: str, description: str, *, default: int, most: int) -> OpenApiParameter:
    """A whole number from 1 to `most`."""
    schema: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    return OpenApiParameter(name, schema, description=f"{description}, 1 to {most}.")


def time(name: str, description: str) -> OpenApiParameter:
    """An ISO 8601 time with its zone."""
    return OpenApiParameter(name, {"type": "string", "format": "date-time"}, description=description)


LIMIT = whole("limit", "Rows a page", default=pages.LIMIT_DEFAULT, most=pages.LIMIT_MAX)
NUMBER_CURSOR = OpenApiParameter("cursor", {"type": "string", "pattern": "^[0-9]{1,18}$"}, description=_CURSOR)
UUID_CURSOR = OpenApiParameter(
    "cursor", {"type": "string", "format": "uuid", "pattern": f"^{_UUID}$"}, description=_CURSOR
)


def idempotency_key(description: str, *, required: bool) -> OpenApiParameter:
    """The header of a request that is done once."""
    schema = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[ -~]+$"}
    return OpenApiParameter(
        "Idempotency-Key", schema, OpenApiParameter.HEADER, required=required, description=description
    )
