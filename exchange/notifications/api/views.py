"""The inbox and the devices over REST, for the mobile apps and our own pages. Each view makes one call and shapes its answer.

What must never happen here: a token of a device in an answer, or a device of an API key (a person logs in on a device).
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exchange.accounts import whence
from exchange.accounts.api import pages
from exchange.accounts.api.authentication import TOKEN_HEADER
from exchange.accounts.api.query_parameters import LIMIT, NUMBER_CURSOR
from exchange.accounts.api.serializers import Strict, Text, checked
from exchange.accounts.api.views import CustomerView
from exchange.core import times
from exchange.core.errors import InvalidRequest
from exchange.notifications import presentation, selectors
from exchange.notifications.channels.web_push import ENDPOINT_MAX
from exchange.notifications.services import devices, inbox

PLATFORMS = tuple(devices.Platform.values)
IDS_MAX = 200
UNREAD = OpenApiParameter("unread", {"type": "boolean"}, description="`true`: only those that were not read yet.")


class NotificationLine(serializers.Serializer):
    """What you were told."""

    id = serializers.IntegerField()
    kind = serializers.CharField(help_text="Such as deposit_credited; there will be more.")
    title = serializers.CharField()
    body = serializers.CharField(allow_blank=True)
    link = serializers.CharField(allow_blank=True, help_text="A path of this site.")
    created_at = serializers.DateTimeField()
    read = serializers.BooleanField()


class Notifications(serializers.Serializer):
    """Newest first."""

    data = NotificationLine(many=True)
    next_cursor = serializers.CharField(allow_null=True)


class MarkRead(Strict):
    """Which ones."""

    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1), allow_null=True, max_length=IDS_MAX, help_text="null: all of them."
    )


class Marked(serializers.Serializer):
    marked = serializers.IntegerField(help_text="How many were unread.")


class PushKeys(Strict):
    """Of a browser's subscription, in base64url."""

    p256dh = Text(max_length=120)
    auth = Text(max_length=40)


class RegisterDevice(Strict):
    """A browser or a phone. Registering again what is registered changes its label and log-in."""

    platform = serializers.ChoiceField(choices=PLATFORMS)
    token = Text(max_length=ENDPOINT_MAX, help_text="FCM's or APNs' token; of a browser its subscription's endpoint.")
    keys = PushKeys(required=False, help_text="Of a browser.")
    label = Text(max_length=devices.LABEL_MAX, required=False, help_text="What its owner calls it.")


class PushDevice(serializers.Serializer):
    """A device, without its token."""

    id = serializers.IntegerField()
    platform = serializers.ChoiceField(choices=PLATFORMS)
    label = serializers.CharField()
    created_at = serializers.DateTimeField()
    last_sent_at = serializers.DateTimeField(allow_null=True)
    here = serializers.BooleanField(help_text="Whether it belongs to the log-in that asks.")


class PushDevices(serializers.Serializer):
    """All of them, the newest first; at most ten."""

    data = PushDevice(many=True)


class NotificationsView(CustomerView):
    """GET notifications: the inbox."""

    parameters: ClassVar[tuple[str, ...]] = ("cursor", "limit", "unread")

    @extend_schema(
        operation_id="notifications",
        summary="Own notifications",
        tags=["notifications"],
        parameters=[LIMIT, NUMBER_CURSOR, UNREAD],
        responses=Notifications,
    )
    def get(self, request: Request) -> Response:
        before, wanted = pages.number_cursor(request), pages.limit(request)
        lines = selectors.recent(self.user_id, before=before, unread=_wants_unread(request), limit=wanted + 1)
        return Response(pages.page(lines, wanted=wanted, key=lambda line: line.id, shape=presentation.notification))


class NotificationsReadView(CustomerView):
    """POST notifications/read."""

    @extend_schema(
        operation_id="mark_notifications_read",
        summary="Mark notifications as read",
        tags=["notifications"],
        request=MarkRead,
        responses=Marked,
        examples=[OpenApiExample("two of them", value={"ids": [7, 8]}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        fields = checked(MarkRead, request.data)
        marked = inbox.mark_read(user_id=self.user_id, ids=fields["ids"], now=timezone.now())
        return Response({"marked": marked})


class PushDevicesView(CustomerView):
    """GET and POST push-devices."""

    reading_scope: ClassVar[str | None] = None

    @extend_schema(
        operation_id="push_devices", summary="Devices that take pushes", tags=["notifications"], responses=PushDevices
    )
    def get(self, request: Request) -> Response:
        found = devices.standing(self.user_id, session_key=_session_key(request))
        return Response({"data": [shape(device) for device in found]})

    @extend_schema(
        operation_id="register_push_device",
        summary="Take pushes on a device",
        description="The device belongs to the log-in that registers it and is forgotten when that ends, so register it after "
        "each log-in and whenever the system gives the app another token. At most ten; the oldest goes first.",
        tags=["notifications"],
        request=RegisterDevice,
        responses={201: PushDevice},
        examples=[
            OpenApiExample(
                "an Android phone's",
                value={"platform": "fcm", "token": "bk3RNwTe3H0:CI2k_HHwgIpoDKCIZvvDMExUdFQ3P1", "label": "Pixel"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        fields = checked(RegisterDevice, request.data)
        keys = fields.pop("keys", {})
        label = fields.pop("label", "") or whence.of_request(request._request).browser
        device = devices.register(
            user_id=self.user_id,
            session_key=_session_key(request),
            label=label,
            now=timezone.now(),
            **fields,
            **keys,
        )
        return Response(shape(device), status=201)


class OnePushDeviceView(CustomerView):
    """DELETE push-devices/{id}."""

    @extend_schema(
        operation_id="remove_push_device",
        summary="Take no more pushes on a device",
        tags=["notifications"],
        responses={204: None},
    )
    def delete(self, request: Request, device_id: int) -> Response:
        devices.remove(user_id=self.user_id, device_id=device_id, now=timezone.now())
        return Response(status=204)


def shape(device: devices.DeviceView) -> dict[str, Any]:
    return {
        "id": device.id,
        "platform": device.platform,
        "label": device.label,
        "created_at": times.iso(device.created_at),
        "last_sent_at": times.iso(device.last_sent_at) if device.last_sent_at else None,
        "here": device.here,
    }


class UnreadInvalid(InvalidRequest):
    """`unread` is neither true nor false."""

    code = "unread_invalid"


def _wants_unread(request: Request) -> bool:
    text = request.query_params.get("unread", "false")
    if text not in ("true", "false"):
        raise UnreadInvalid("unread is true or false.", param="unread")
    return text == "true"


def _session_key(request: Request) -> str:
    """allauth's session token is the session's key, as the cookie is."""
    return request.headers.get(TOKEN_HEADER) or request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
