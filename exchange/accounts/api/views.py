"""The two kinds of REST view there are, and the customer's own `me`.

What must never happen here: a view that forgets to ask who is there. `CustomerView` asks; `PublicView` says aloud that it
does not.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS, AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from exchange.accounts import selectors
from exchange.accounts.api.admission import ScopeMissing
from exchange.accounts.api.authentication import CustomerAuthentication
from exchange.accounts.api.serializers import FieldUnknown
from exchange.core import times
from exchange.core.errors import PermissionDenied


class View(APIView):
    """Refuses query parameters that no method of it knows."""

    http_method_names: ClassVar[list[str]] = ["get", "head", "post", "put", "patch", "delete"]
    parameters: ClassVar[tuple[str, ...]] = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        for name in request.query_params:
            if name not in self.parameters:
                known = ", ".join(self.parameters) or "none"
                raise FieldUnknown(f"There is no query parameter {name[:50]!r} here. Known: {known}.", param=name[:50])

    @property
    def now(self) -> datetime:
        """The clock, read here at the edge."""
        return timezone.now()


class PublicView(View):
    """Anybody may read it; nothing of any customer stands in it, so nobody is asked who they are."""

    authentication_classes: ClassVar[list[Any]] = []
    permission_classes: ClassVar[list[type[BasePermission]]] = [AllowAny]


class KeyNotAllowed(PermissionDenied):
    """No API key does this, whatever its scopes: a person logs in for it."""

    code = "key_not_allowed"


class WithinScope(BasePermission):
    """An API key does what its scopes name; a person who is logged in, all. Raises KeyNotAllowed, ScopeMissing."""

    def has_permission(self, request: Request, view: Any) -> bool:
        scopes = request.auth.scopes
        if scopes is None:
            return True
        scope = view.reading_scope if request.method in SAFE_METHODS else view.scope
        if scope is None:
            raise KeyNotAllowed("API keys do not do this. Please log in.")
        if scope not in scopes:
            raise ScopeMissing(f"This key has no scope {scope!r}. Make another one that has.", param=scope)
        return True


class CustomerView(View):
    """Acts for the customer who is logged in, and for no other.

    `scope` is what an API key needs for what changes something (None: no key does it), `reading_scope` for the rest."""

    authentication_classes: ClassVar[list[Any]] = [CustomerAuthentication]
    permission_classes: ClassVar[list[type[BasePermission]]] = [IsAuthenticated, WithinScope]
    scope: ClassVar[str | None] = None
    reading_scope: ClassVar[str | None] = "read"

    @property
    def user_id(self) -> int:
        return self.request.auth.user_id


class Me(serializers.Serializer):
    """The customer's own account."""

    id = serializers.IntegerField()
    email = serializers.EmailField()
    email_verified = serializers.BooleanField()
    display_name = serializers.CharField(allow_blank=True)
    language = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()


class MeView(CustomerView):
    """GET me: who is logged in."""

    @extend_schema(operation_id="me", summary="Who is logged in", tags=["account"], responses=Me)
    def get(self, request: Request) -> Response:
        person = selectors.person(self.user_id)
        return Response(
            {
                "id": person.id,
                "email": person.email,
                "email_verified": person.email_verified,
                "display_name": person.display_name,
                "language": person.language,
                "created_at": times.iso(person.created_at),
            }
        )
