"""What scope an API key needs for an operation, said in the OpenAPI document (`x-scope`).

Stands by itself: REST framework loads it before any view of ours. What must never happen here: a scope said that is not the
view's own.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema


class ScopedSchema(AutoSchema):
    """drf-spectacular's, and the scope; an operation without one is done by no key."""

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is not None and hasattr(self.view, "reading_scope"):
            scope = self.view.reading_scope if self.method == "GET" else self.view.scope
            if scope is not None:
                operation["x-scope"] = scope
        return operation
