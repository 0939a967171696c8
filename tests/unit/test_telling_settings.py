"""A way of telling that is half switched on stops the start, and production takes no stand-in for who carries our messages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import egress, telling

OFF: dict[str, Any] = {
    "WEB_PUSH_VAPID_PRIVATE_KEY": "", "WEB_PUSH_CONTACT": "", "FCM_CREDENTIALS": "", "APNS_KEY": "", "APNS_KEY_ID": "",
    "APNS_TEAM_ID": "", "APNS_TOPIC": "", "SMS_PROVIDER": "none", "TWILIO_ACCOUNT_SID": "", "TWILIO_AUTH_TOKEN": "",
    "TWILIO_FROM": "",
}  # fmt: skip
ACCOUNT = json.dumps(
    {"project_id": "p", "private_key": "k", "client_email": "e", "token_uri": "https://oauth2.googleapis.com/token"}
)


def test_nothing_is_switched_on_by_itself() -> None:
    telling.check(OFF)
    assert egress.allowed(OFF) == []


@pytest.mark.parametrize(
    ("half", "missing"),
    [
        ({"WEB_PUSH_VAPID_PRIVATE_KEY": "x"}, "WEB_PUSH_CONTACT"),
        ({"APNS_KEY": "x", "APNS_KEY_ID": "x", "APNS_TEAM_ID": "x"}, "APNS_TOPIC"),
        ({"SMS_PROVIDER": "twilio", "TWILIO_ACCOUNT_SID": "x", "TWILIO_FROM": "x"}, "TWILIO_AUTH_TOKEN"),
        ({"SMS_PROVIDER": "pigeon"}, "SMS_PROVIDER"),
        ({"FCM_CREDENTIALS": "no json"}, "FCM_CREDENTIALS"),
        ({"FCM_CREDENTIALS": "{}"}, "FCM_CREDENTIALS"),
    ],
)
def test_half_a_way_is_named(half: dict[str, Any], missing: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=missing):
        telling.check({**OFF, **half})


def test_what_is_switched_on_may_be_called_and_nothing_else() -> None:
    on = {
        **OFF, "FCM_CREDENTIALS": ACCOUNT, "FCM_URL": "https://fcm.googleapis.com", "APNS_KEY": "k",
        "APNS_URL": "https://api.push.apple.com", "SMS_PROVIDER": "twilio", "TWILIO_URL": "https://api.twilio.com",
    }  # fmt: skip
    assert egress.allowed(on) == [
        "api.push.apple.com:443", "api.twilio.com:443", "fcm.googleapis.com:443", "oauth2.googleapis.com:443",
    ]  # fmt: skip
