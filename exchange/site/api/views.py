"""The root's own addresses: the server's clock, the OpenAPI document, the page that shows it."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exchange.accounts.api.views import PublicView
from exchange.core import times
from exchange.site.api import documentation


class Time(serializers.Serializer):
    """The server's clock."""

    time = serializers.DateTimeField()


class TimeView(PublicView):
    """GET time."""

    @extend_schema(operation_id="time", summary="The server's clock", tags=["server"], responses=Time)
    def get(self, request: Request) -> Response:
        return Response({"time": times.iso(timezone.now())})


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document: made once a process, for it changes with the code alone."""
    return SchemaGenerator().get_schema(request=None, public=True)


class OpenApiView(PublicView):
    """GET openapi.json."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response(document())


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The document as a page: plain HTML of our own, so that it needs no script and no other host."""
    return render(request, "site/api_docs.html", documentation.readable(document()))
