"""Verification over REST: the standing, applications, words, pictures, handing in.

A picture is the request's body as it is, so that no form has to be taken apart; its type is what its bytes say. What must never
happen here: a customer's words or pictures in an answer (an API key with scope "read" may read these), or an application of
somebody else (it is not found, like one that never was).
"""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser, JSONParser
from rest_framework.request import Request
from rest_framework.response import Response

from exchange.accounts.api import addresses, pages, query_parameters
from exchange.accounts.api.serializers import Strict, Text, checked
from exchange.accounts.api.views import CustomerView
from exchange.core import times
from kyc import application_selectors as selectors
from kyc import images, requirements
from kyc.models.applications import State
from kyc.services import applications, documents


class Start(Strict):
    """Which level is applied for."""

    level = serializers.IntegerField(min_value=1, max_value=99, help_text="The level's number, from `GET kyc`.")


class Words(Strict):
    """The fields of the application's level, all of them; others are refused."""

    given_names = Text(max_length=120, required=False, help_text="As they stand in the document.")
    family_names = Text(max_length=120, required=False)
    birth_date = Text(max_length=10, required=False, help_text="Year-month-day.")
    nationality = Text(max_length=2, required=False, help_text="ISO 3166, two letters.")
    country = Text(max_length=2, required=False, help_text="Where the customer lives.")
    document_type = serializers.ChoiceField(choices=list(requirements.DOCUMENT_TYPES), required=False)
    street = Text(max_length=120, required=False)
    city = Text(max_length=120, required=False)
    postal_code = Text(max_length=120, required=False)
    address_country = Text(max_length=2, required=False)
    occupation = Text(max_length=120, required=False)
    source_of_funds = Text(max_length=1000, required=False)


class Nothing(Strict):
    """No field."""


class Picture(serializers.Serializer):
    """A picture that was taken."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=list(requirements.KINDS))
    uploaded_at = serializers.DateTimeField()
    width = serializers.IntegerField()
    height = serializers.IntegerField()


class Reason(serializers.Serializer):
    """Why it was turned down or sent back."""

    code = serializers.CharField()
    message = serializers.CharField()


class Application(serializers.Serializer):
    """An application. `missing` and `asked` name groups of words (person, address, funds) and kinds of pictures."""

    id = serializers.UUIDField()
    level = serializers.IntegerField()
    level_code = serializers.CharField()
    state = serializers.ChoiceField(choices=State.values)
    groups = serializers.ListField(child=serializers.CharField(), help_text="The words that this level asks for.")
    kinds = serializers.ListField(child=serializers.CharField(), help_text="The pictures that it asks for.")
    missing = serializers.ListField(child=serializers.CharField())
    asked = serializers.ListField(
        child=serializers.CharField(), help_text="What has to be sent again, and nothing else."
    )
    pictures = Picture(many=True)
    reasons = Reason(many=True)
    message = serializers.CharField(allow_blank=True, help_text="Words of the reviewer.")
    created_at = serializers.DateTimeField()
    submitted_at = serializers.DateTimeField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True, help_text="When the level ends that it gave.")


class ApplicationPage(serializers.Serializer):
    """Applications, the newest first."""

    data = Application(many=True)
    next_cursor = serializers.CharField(allow_null=True)


class Offered(serializers.Serializer):
    """A level that can be applied for now."""

    level = serializers.IntegerField()
    code = serializers.CharField()
    name = serializers.CharField()


class Standing(serializers.Serializer):
    """How well the customer is known."""

    level = serializers.IntegerField()
    code = serializers.CharField()
    name = serializers.CharField()
    offered = Offered(many=True)
    application = Application(allow_null=True, help_text="The open one, or null.")


class PictureBody(BaseParser):
    """The body as it is, whatever the request calls it: it is recognised by its bytes."""

    media_type = "image/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> bytes:
        data = stream.read(images.BYTES_MAX + 1)
        if len(data) > images.BYTES_MAX:
            raise images.too_large()
        return bytes(data)


class OctetBody(PictureBody):
    media_type = "application/octet-stream"


def _iso(value: Any) -> str | None:
    return times.iso(value) if value is not None else None


def picture(view: selectors.PictureView) -> dict[str, Any]:
    return {
        "id": str(view.id),
        "kind": view.kind,
        "uploaded_at": times.iso(view.uploaded_at),
        "width": view.width,
        "height": view.height,
    }


def application(view: selectors.ApplicationView) -> dict[str, Any]:
    return {
        "id": str(view.id),
        "level": view.level,
        "level_code": view.level_code,
        "state": view.state,
        "groups": list(view.groups),
        "kinds": list(view.kinds),
        "missing": list(view.missing),
        "asked": list(view.asked),
        "pictures": [picture(each) for each in view.pictures],
        "reasons": [{"code": code, "message": words} for code, words in view.reasons],
        "message": view.message,
        "created_at": times.iso(view.created_at),
        "submitted_at": _iso(view.submitted_at),
        "decided_at": _iso(view.decided_at),
        "expires_at": _iso(view.expires_at),
    }


class StandingView(CustomerView):
    """GET kyc."""

    @extend_schema(
        operation_id="verification", summary="How well the customer is known", tags=["verification"], responses=Standing
    )
    def get(self, request: Request) -> Response:
        found = selectors.standing(self.user_id, now=self.now)
        return Response(
            {
                "level": found.level,
                "code": found.level_code,
                "name": found.level_name,
                "offered": [{"level": each.number, "code": each.code, "name": each.name} for each in found.offered],
                "application": application(found.current) if found.current else None,
            }
        )


class ApplicationsView(CustomerView):
    """GET and POST kyc/applications."""

    parameters: ClassVar[tuple[str, ...]] = ("limit", "cursor")

    @extend_schema(
        operation_id="applications",
        summary="Own applications, newest first",
        tags=["verification"],
        parameters=[
            query_parameters.LIMIT,
            query_parameters.UUID_CURSOR,
        ],
        responses=ApplicationPage,
    )
    def get(self, request: Request) -> Response:
        wanted = pages.limit(request)
        rows = selectors.applications(self.user_id, before=pages.uuid_cursor(request), limit=wanted + 1)
        return Response(pages.page(rows, wanted=wanted, key=lambda row: row.id, shape=application))

    @extend_schema(
        operation_id="start_application",
        summary="Apply for a level",
        description="Gives the open application for that level, where there is one.",
        tags=["verification"],
        request=Start,
        responses={201: Application},
        examples=[OpenApiExample("Identity", value={"level": 2}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        fields = checked(Start, request.data)
        made = applications.start(
            user_id=self.user_id, level=fields["level"], origin=f"ip={addresses.of_request(request)}", now=self.now
        )
        return Response(application(selectors.application(self.user_id, made.id)), status=201)


class ApplicationView(CustomerView):
    """GET kyc/applications/{id}."""

    @extend_schema(operation_id="application", summary="One application", tags=["verification"], responses=Application)
    def get(self, request: Request, application_id: UUID) -> Response:
        return Response(application(selectors.application(self.user_id, application_id)))


class WordsView(CustomerView):
    """PUT kyc/applications/{id}/words."""

    @extend_schema(
        operation_id="describe_application",
        summary="Tell what the level asks for",
        description="All fields of the level's groups at once: person (names, birth date, nationality, country, "
        "document_type), address, or funds. They are never shown again by the API.",
        tags=["verification"],
        request=Words,
        responses=Application,
        examples=[
            OpenApiExample(
                "Address",
                value={"street": "1 High Street", "city": "London", "postal_code": "SW1A 1AA", "address_country": "GB"},
                request_only=True,
            )
        ],
    )
    def put(self, request: Request, application_id: UUID) -> Response:
        fields = checked(Words, request.data)
        applications.describe(user_id=self.user_id, application_id=application_id, told=fields, now=self.now)
        return Response(application(selectors.application(self.user_id, application_id)))


class PicturesView(CustomerView):
    """POST kyc/applications/{id}/pictures."""

    parameters: ClassVar[tuple[str, ...]] = ("kind",)
    parser_classes: ClassVar[list[type[BaseParser]]] = [PictureBody, OctetBody]
    limit = "pictures"

    @extend_schema(
        operation_id="send_picture",
        summary="Send a picture",
        description="The body is a JPEG, PNG or WebP of at most 10 MB, recognised by its bytes. It replaces an earlier one of "
        "its kind, is drawn anew without what a camera writes beside the picture, and is never shown again by the API.",
        tags=["verification"],
        parameters=[
            OpenApiParameter("kind", str, required=True, enum=list(requirements.KINDS), description="What it shows.")
        ],
        request={
            "image/jpeg": OpenApiTypes.BINARY,
            "image/png": OpenApiTypes.BINARY,
            "image/webp": OpenApiTypes.BINARY,
        },
        responses={201: Application},
    )
    def post(self, request: Request, application_id: UUID) -> Response:
        data = request.data
        documents.upload(
            user_id=self.user_id,
            application_id=application_id,
            kind=request.query_params.get("kind", ""),
            data=data if isinstance(data, bytes) else b"",
            now=self.now,
        )
        return Response(application(selectors.application(self.user_id, application_id)), status=201)


class PictureView(CustomerView):
    """DELETE kyc/applications/{id}/pictures/{id}."""

    parser_classes: ClassVar[list[type[BaseParser]]] = [JSONParser]

    @extend_schema(
        operation_id="remove_picture",
        summary="Take a picture back",
        description="Possible while the application is a draft.",
        tags=["verification"],
        responses={200: Application},
    )
    def delete(self, request: Request, application_id: UUID, document_id: UUID) -> Response:
        documents.remove(user_id=self.user_id, application_id=application_id, document_id=document_id, now=self.now)
        return Response(application(selectors.application(self.user_id, application_id)))


class SubmitView(CustomerView):
    """POST kyc/applications/{id}/submit."""

    @extend_schema(
        operation_id="submit_application",
        summary="Hand it in",
        description="From here on nothing can be changed in it until somebody has looked at it.",
        tags=["verification"],
        request=None,
        responses=Application,
    )
    def post(self, request: Request, application_id: UUID) -> Response:
        checked(Nothing, request.data)
        applications.submit(
            user_id=self.user_id,
            application_id=application_id,
            origin=f"ip={addresses.of_request(request)}",
            now=self.now,
        )
        return Response(application(selectors.application(self.user_id, application_id)))
