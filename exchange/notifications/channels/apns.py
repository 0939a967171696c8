"""Push to iPhones and iPads through Apple's service: HTTP/2, with a provider token (ES256) made anew before it is an hour old.

https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
What must never happen here: a token made anew for each message (Apple refuses that), or a device dropped for a fault of ours.
"""

from __future__ import annotations

import json
import threading
import uuid
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import jwt
from django.conf import settings

from exchange.notifications.channels.parcels import Down, Gone, Later, Outcome, Parcel, Refused, Sent, retry_after
from exchange.outgoing import http2

SECONDS, ANSWER_MAX = 8.0, 16_384
TOKEN_KEPT = timedelta(minutes=40)  # Apple takes one of 20 to 60 minutes
_GONE = frozenset({"BadDeviceToken", "Unregistered", "ExpiredToken", "DeviceTokenNotForTopic"})
_OURS = frozenset(
    {"ExpiredProviderToken", "InvalidProviderToken", "MissingProviderToken", "TooManyProviderTokenUpdates", "Forbidden",
     "BadTopic", "MissingTopic", "TopicDisallowed", "BadCertificate", "BadCertificateEnvironment", "InternalServerError",
     "ServiceUnavailable", "Shutdown"}
)  # fmt: skip
_NAMESPACE = uuid.UUID("6f3f1d0e-2f5e-5c58-9a3e-7c9f4b1d2a60")

_lock = threading.Lock()
_tokens: dict[tuple[str, str, str], tuple[datetime, str]] = {}


def switched_on() -> bool:
    return bool(settings.APNS_KEY)


def send(parcel: Parcel) -> Outcome:
    assert parcel.device is not None, "a push has a device"
    now = parcel.event.now
    try:
        answer = _connection(settings.APNS_URL, settings.TELLING_CA_FILE).post(
            f"{settings.APNS_URL}/3/device/{parcel.device.token}",
            headers={
                "authorization": f"bearer {_token(now)}",
                "apns-topic": settings.APNS_TOPIC,
                "apns-push-type": "alert",
                "apns-priority": "10",
                "apns-expiration": str(int(now.timestamp()) + parcel.seconds_left),
                # The same for each attempt, so that what is told twice is shown once.
                "apns-id": str(uuid.uuid5(_NAMESPACE, str(parcel.number))),
                "apns-collapse-id": parcel.tag,
                "content-type": "application/json",
            },
            content=json.dumps(_payload(parcel), ensure_ascii=False, separators=(",", ":")).encode(),
        )
    except http2.Failed as error:
        return Down(str(error))
    return _judged(answer)


def _payload(parcel: Parcel) -> dict[str, Any]:
    alert = {"title": parcel.title, "body": parcel.body}
    return {
        "aps": {"alert": alert, "sound": "default", "thread-id": parcel.message.kind},
        "link": parcel.message.link,
        "kind": parcel.message.kind,
    }


def _judged(answer: http2.Answer) -> Outcome:
    if answer.status == 200:
        return Sent(reference=answer.headers.get("apns-id", "")[:120])
    reason = _reason(answer.body)
    why = f"HTTP {answer.status} {reason}".strip()
    after = retry_after(answer.headers.get("retry-after"))
    if answer.status == 410 or reason in _GONE:
        return Gone(why)
    if reason in _OURS or answer.status in (401, 403) or answer.status >= 500:
        if reason in ("ExpiredProviderToken", "InvalidProviderToken"):
            forget_token()
        return Down(why, after)
    return Later(why, after) if answer.status == 429 else Refused(why)


def _reason(body: bytes) -> str:
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    return str(found.get("reason", ""))[:60] if isinstance(found, dict) else ""


def _token(now: datetime) -> str:
    """One for all messages of the next while."""
    which = (settings.APNS_KEY, settings.APNS_KEY_ID, settings.APNS_TEAM_ID)
    with _lock:
        made_at, token = _tokens.get(which, (now, ""))
        if not token or not timedelta() <= now - made_at < TOKEN_KEPT:
            token = jwt.encode(
                {"iss": settings.APNS_TEAM_ID, "iat": int(now.timestamp())},
                settings.APNS_KEY,
                algorithm="ES256",
                headers={"kid": settings.APNS_KEY_ID},
            )
            _tokens[which] = (now, token)
        return token


def forget_token() -> None:
    with _lock:
        _tokens.clear()


@lru_cache(maxsize=4)
def _connection(url: str, ca_file: str) -> http2.Connection:
    """Kept open: Apple counts connections that come and go as an attack."""
    return http2.Connection(seconds=SECONDS, bytes_max=ANSWER_MAX, whole_s=2 * SECONDS, ca_file=ca_file)
