"""Push to browsers: encrypted for the browser alone (RFC 8291), signed by our own key (VAPID, RFC 8292), carried by its maker.

The endpoint comes from a customer's browser, that is, from anybody: only the browsers' own push services are taken, over https,
and no address of a private network is ever connected to. What must never happen here: a call to a place of the customer's
choosing, or an answer of one shown to anybody.
"""

from __future__ import annotations

import base64
import json
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from django.conf import settings

from exchange.notifications.channels.parcels import Down, Gone, Later, Outcome, Parcel, Refused, Sent, retry_after
from exchange.outgoing import calls, places

if TYPE_CHECKING:
    from py_vapid import Vapid02

ENDPOINT_MAX = 800
SECONDS, ANSWER_MAX = 8.0, 16_384
_TTL_MAX = 24 * 3600


def switched_on() -> bool:
    return bool(settings.WEB_PUSH_VAPID_PRIVATE_KEY)


def public_key() -> str:
    """What a browser is given to subscribe with."""
    key = _vapid(settings.WEB_PUSH_VAPID_PRIVATE_KEY).public_key
    raw = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def service_of(endpoint: str) -> str | None:
    """The push service's "host:port" of an endpoint, None for one that is no browser's."""
    if len(endpoint) > ENDPOINT_MAX or not endpoint.isascii() or not endpoint.isprintable():
        return None
    try:
        parts = urlsplit(endpoint)
        place = places.place(endpoint)
    except (ValueError, places.NotAllowed):
        return None
    if parts.scheme != "https" or parts.username is not None or parts.password is not None or parts.fragment:
        return None
    known = {host if ":" in host else f"{host}:443" for host in settings.WEB_PUSH_SERVICES}
    return place if places.listed(place, known) else None


def send(parcel: Parcel) -> Outcome:
    from pywebpush import WebPusher, WebPushException  # brings aiohttp along, which nobody else needs

    device = parcel.device
    assert device is not None, "a push has a device"
    if service_of(device.token) is None:
        return Gone("no push service's endpoint")
    body = {
        "title": parcel.title,
        "body": parcel.body,
        "url": parcel.message.link,
        "tag": parcel.tag,
        "lang": parcel.language,
    }
    parts = urlsplit(device.token)
    claims = {"sub": settings.WEB_PUSH_CONTACT, "aud": f"{parts.scheme}://{parts.netloc}", "exp": _expiry(parcel)}
    headers = {
        **_vapid(settings.WEB_PUSH_VAPID_PRIVATE_KEY).sign(claims),
        "Topic": parcel.tag,  # one that waits for a browser that is off is replaced, not doubled
        "Urgency": "high",
    }
    keys = {"endpoint": device.token, "keys": {"p256dh": device.p256dh, "auth": device.auth}}
    session = calls.Session(
        seconds=SECONDS,
        bytes_max=ANSWER_MAX,
        whole_s=2 * SECONDS,
        ca_file=settings.TELLING_CA_FILE,
        public_only=not settings.WEB_PUSH_PRIVATE,
    )
    try:
        with session:
            answer = WebPusher(keys, requests_session=session).send(
                json.dumps(body, separators=(",", ":")), headers, ttl=min(parcel.seconds_left, _TTL_MAX)
            )
    except calls.NotAllowed as error:
        return Gone(str(error))
    except calls.Failed as error:
        return Down(type(error).__name__)
    except (WebPushException, ValueError) as error:
        return Gone(f"no keys of a browser ({type(error).__name__})")
    assert not isinstance(answer, str)
    return _judged(answer)


def _judged(answer: calls.Response) -> Outcome:
    """RFC 8030, section 5 and 7.3; what services say beyond it is read as its class."""
    status = answer.status_code
    if status in (200, 201, 202, 204):
        return Sent(reference=answer.headers.get("Location", "")[-120:])
    if status in (404, 410):
        return Gone(f"HTTP {status}")
    if status == 429:
        return Later("HTTP 429", retry_after(answer.headers.get("Retry-After")))
    if status in (401, 403) or status >= 500:
        return Down(f"HTTP {status}", retry_after(answer.headers.get("Retry-After")))
    return Refused(f"HTTP {status}")


def _expiry(parcel: Parcel) -> int:
    return int(parcel.event.now.timestamp()) + 12 * 3600  # the most that RFC 8292 allows is a day


@lru_cache(maxsize=2)
def _vapid(key: str) -> Vapid02:
    """From PEM, or from the raw key in base64url."""
    from py_vapid import Vapid02

    if key.startswith("-----"):
        return Vapid02.from_pem(key.encode())
    return Vapid02.from_raw(key.encode())
