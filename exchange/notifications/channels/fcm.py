"""Push to Android through Firebase Cloud Messaging, HTTP v1.

Google's own library signs for the service account and fetches the token; the token and every message go through our own door.
https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send
https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
What must never happen here: a device dropped because of what is our fault (a wrong project, a message that is too long).
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from django.conf import settings
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from google.oauth2 import service_account

from exchange.notifications.channels.parcels import Down, Gone, Later, Outcome, Parcel, Refused, Sent, retry_after
from exchange.outgoing import calls

SECONDS, ANSWER_MAX = 8.0, 65_536
_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"


def switched_on() -> bool:
    return bool(settings.FCM_CREDENTIALS)


def send(parcel: Parcel) -> Outcome:
    assert parcel.device is not None, "a push has a device"
    credentials = _credentials(settings.FCM_CREDENTIALS)
    with _session() as session:
        try:
            if not credentials.valid:
                credentials.refresh(Request(session=session))
            answer = session.post(
                f"{settings.FCM_URL}/v1/projects/{credentials.project_id}/messages:send",
                json={"message": _message(parcel, parcel.device.token)},
                headers={"Authorization": f"Bearer {credentials.token}"},
            )
        except (calls.Failed, GoogleAuthError) as error:
            return Down(type(error).__name__)
    return _judged(answer, credentials)


def _message(parcel: Parcel, token: str) -> dict[str, Any]:
    """One that is told twice replaces itself on the phone: the same collapse key, the same tag."""
    return {
        "token": token,
        "notification": {"title": parcel.title, "body": parcel.body},
        "data": {"link": parcel.message.link, "kind": parcel.message.kind, "event": str(parcel.event.id)},
        "android": {
            "priority": "HIGH",
            "ttl": f"{parcel.seconds_left}s",
            "collapse_key": parcel.tag,
            "notification": {"tag": parcel.tag, "channel_id": parcel.message.kind},
        },
    }


def _judged(answer: calls.Response, credentials: service_account.Credentials) -> Outcome:
    if answer.status_code == 200:
        return Sent(reference=str(_json(answer).get("name", ""))[-120:])
    code, fields = _error(answer)
    why = f"HTTP {answer.status_code} {code}".strip()
    after = retry_after(answer.headers.get("Retry-After"))
    if code == "UNREGISTERED" or (code == "INVALID_ARGUMENT" and "message.token" in fields):
        return Gone(why)
    if code in ("INVALID_ARGUMENT", "SENDER_ID_MISMATCH"):
        return Refused(why)
    if answer.status_code == 429:
        return Later(why, after or 60)  # "the minimum initial delay is 1 minute"
    if answer.status_code == 401:
        credentials.token = None  # fetched anew with the next one
    return Down(why, after) if answer.status_code >= 500 or answer.status_code in (401, 403) else Refused(why)


def _error(answer: calls.Response) -> tuple[str, set[str]]:
    """FCM's own code and the fields it names, both from the details; else the canonical status.

    A token of no form at all comes as INVALID_ARGUMENT with FcmError as its only detail, and a message that says so."""
    error = _json(answer).get("error")
    if not isinstance(error, dict):
        return "", set()
    details = [each for each in error.get("details") or [] if isinstance(each, dict)]
    fields = {
        str(violation.get("field"))
        for each in details
        for violation in each.get("fieldViolations") or []
        if isinstance(violation, dict)
    }
    if "registration token" in str(error.get("message", "")).lower():
        fields.add("message.token")
    codes = [str(each["errorCode"]) for each in details if "errorCode" in each]
    return (codes[0] if codes else str(error.get("status", "")))[:40], fields


def _json(answer: calls.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _session() -> calls.Session:
    return calls.Session(seconds=SECONDS, bytes_max=ANSWER_MAX, whole_s=2 * SECONDS, ca_file=settings.TELLING_CA_FILE)


@lru_cache(maxsize=2)
def _credentials(text: str) -> service_account.Credentials:
    """Kept with its token, which is good for an hour."""
    return service_account.Credentials.from_service_account_info(json.loads(text), scopes=[_SCOPE])
