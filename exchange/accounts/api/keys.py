"""A customer's API keys over REST. Each view makes one call and shapes its answer.

What must never happen here: a key that makes, sees or ends keys (a person logs in for that), or a secret in any answer but the
one to its making.
"""

from __future__ import annotations

import base64
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exchange.accounts.api.serializers import Strict, Text, checked
from exchange.accounts.api.views import CustomerView
from exchange.accounts.keys import networks, selectors, services
from exchange.accounts.keys.selectors import KeyView
from exchange.accounts.models.api_keys import LABEL_CHARACTERS_MAX
from exchange.accounts.second_factors import stepping
from exchange.audit import services as audit
from exchange.core import times

KINDS, SCOPES = ("ed25519", "hmac"), ("read", "trade", "withdraw")


class ApiKey(serializers.Serializer):
    """An API key, without what it signs with."""

    id = serializers.CharField(help_text="What requests name it by.")
    label = serializers.CharField()
    kind = serializers.ChoiceField(choices=KINDS)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=SCOPES))
    networks = serializers.ListField(
        child=serializers.CharField(), help_text="Where it is taken from; empty: anywhere."
    )
    public_key = serializers.CharField(allow_null=True, help_text="Of Ed25519: 32 bytes in base64.")
    state = serializers.ChoiceField(choices=["live", "expired", "revoked"])
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="To the minute.")
    last_used_address = serializers.CharField(allow_null=True)


class ApiKeys(serializers.Serializer):
    """All of them: those that live first, then the newest; at most a hundred."""

    data = ApiKey(many=True)


class NewApiKey(ApiKey):
    """A key that was just made. `secret` is shown here and never again."""

    secret = serializers.CharField(allow_null=True, help_text="Of HMAC: 32 bytes in hexadecimal.")


class CreateApiKey(Strict):
    """What the key is to be."""

    label = Text(max_length=LABEL_CHARACTERS_MAX)
    kind = serializers.ChoiceField(choices=KINDS)
    public_key = Text(max_length=services.PEM_CHARACTERS_MAX, required=False, help_text="Of Ed25519: PEM, or base64.")
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=SCOPES), min_length=1, max_length=3, help_text="read comes with each."
    )
    networks = serializers.ListField(
        child=Text(max_length=60), max_length=networks.NETWORKS_MAX, required=False, help_text="Needed for withdraw."
    )
    expires_at = Text(max_length=40, required=False, help_text="ISO 8601 with its zone.")


class RenameApiKey(Strict):
    """Its other label."""

    label = Text(max_length=LABEL_CHARACTERS_MAX)


class KeysView(CustomerView):
    """GET and POST api-keys."""

    reading_scope: ClassVar[str | None] = None

    @extend_schema(operation_id="api_keys", summary="Own API keys", tags=["API keys"], responses=ApiKeys)
    def get(self, request: Request) -> Response:
        return Response({"data": [shape(key) for key in selectors.keys(self.user_id, now=self.now)]})

    @extend_schema(
        operation_id="create_api_key",
        summary="Make an API key",
        description="Needs a second factor that was just confirmed. Withdrawals of the account pause for a day.",
        tags=["API keys"],
        request=CreateApiKey,
        responses={201: NewApiKey},
        examples=[
            OpenApiExample(
                "a bot's",
                value={"label": "Grid bot", "kind": "hmac", "scopes": ["read", "trade"], "networks": ["203.0.113.7"]},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        fields = checked(CreateApiKey, request.data)
        now = timezone.now()
        stepping.check(request, now=now)
        wanted = set(fields.pop("scopes"))
        ends = fields.pop("expires_at", None)
        created = services.create(
            user_id=self.user_id,
            trade="trade" in wanted,
            withdraw="withdraw" in wanted,
            expires_at=times.parse(ends, param="expires_at") if ends is not None else None,
            origin=audit.origin_of(request._request),
            now=now,
            **fields,
        )
        return Response({**shape(created.key), "secret": created.secret}, status=201)


class OneKeyView(CustomerView):
    """PATCH and DELETE api-keys/{id}."""

    reading_scope: ClassVar[str | None] = None

    @extend_schema(
        operation_id="rename_api_key",
        summary="Rename an API key",
        tags=["API keys"],
        request=RenameApiKey,
        responses=ApiKey,
    )
    def patch(self, request: Request, key_id: str) -> Response:
        fields = checked(RenameApiKey, request.data)
        return Response(shape(services.rename(user_id=self.user_id, key_id=key_id, now=self.now, **fields)))

    @extend_schema(
        operation_id="revoke_api_key",
        summary="Revoke an API key",
        description="From now on it opens nothing, and the connections it had opened end.",
        tags=["API keys"],
        responses={200: ApiKey},
    )
    def delete(self, request: Request, key_id: str) -> Response:
        origin = audit.origin_of(request._request)
        return Response(shape(services.revoke(user_id=self.user_id, key_id=key_id, origin=origin, now=self.now)))


def shape(key: KeyView) -> dict[str, Any]:
    """A key as JSON."""
    return {
        "id": key.key_id,
        "label": key.label,
        "kind": key.kind,
        "scopes": list(key.scopes),
        "networks": list(key.networks),
        "public_key": base64.b64encode(key.public_key).decode() if key.public_key is not None else None,
        "state": key.state,
        "created_at": times.iso(key.created_at),
        "expires_at": times.iso(key.expires_at) if key.expires_at is not None else None,
        "revoked_at": times.iso(key.revoked_at) if key.revoked_at is not None else None,
        "last_used_at": times.iso(key.last_used_at) if key.last_used_at is not None else None,
        "last_used_address": key.last_used_address or None,
    }
