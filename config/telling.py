"""Settings of the ways by which people are told: push to browsers and phones, SMS. Plain values and environment alone.

A way is switched on by its own key; then the rest that it needs must be there, too. E-mail and the inbox are always on.
What must never happen here: a stand-in (`FCM_URL` and its like, for tests; config.settings.prod refuses them) in a service's
place where there are customers.
"""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config.environment import env, read_secret

STAND_INS = ("FCM_URL", "APNS_URL", "TWILIO_URL")

# --- Push to browsers (RFC 8030, 8291, 8292): one key of our own, made by `manage.py notifications make_vapid_key` ---
WEB_PUSH_VAPID_PRIVATE_KEY = read_secret("WEB_PUSH_VAPID_PRIVATE_KEY")
WEB_PUSH_CONTACT = env.str("WEB_PUSH_CONTACT", "")  # mailto: or https:, for the push services
# The push services of the browsers there are; an endpoint of any other host is not taken from a customer.
WEB_PUSH_SERVICES = env.list(
    "WEB_PUSH_SERVICES",
    default=[
        "fcm.googleapis.com",
        "updates.push.services.mozilla.com",
        "web.push.apple.com",
        "*.push.apple.com",
        "*.notify.windows.com",
    ],
)
WEB_PUSH_PRIVATE = False  # no variable: tests alone have a push service on this machine
# --- Push to phones ---
FCM_CREDENTIALS = read_secret("FCM_CREDENTIALS")  # the service account's JSON, as Google gives it
FCM_URL = env.str("FCM_URL", "https://fcm.googleapis.com")
APNS_KEY = read_secret("APNS_KEY")  # the .p8 file's content
APNS_KEY_ID = env.str("APNS_KEY_ID", "")
APNS_TEAM_ID = env.str("APNS_TEAM_ID", "")
APNS_TOPIC = env.str("APNS_TOPIC", "")  # the app's bundle id
APNS_SANDBOX = env.bool("APNS_SANDBOX", False)
APNS_URL = env.str("APNS_URL", "https://api.sandbox.push.apple.com" if APNS_SANDBOX else "https://api.push.apple.com")
# --- SMS ---
SMS_PROVIDER = env.str("SMS_PROVIDER", "none")
TWILIO_ACCOUNT_SID = env.str("TWILIO_ACCOUNT_SID", "")
TWILIO_AUTH_TOKEN = read_secret("TWILIO_AUTH_TOKEN")
TWILIO_FROM = env.str("TWILIO_FROM", "")  # a number (+49…) or a messaging service (MG…)
TWILIO_URL = env.str("TWILIO_URL", "https://api.twilio.com")
TELLING_CA_FILE = ""  # no variable: tests' servers have certificates of their own

BANNER_REMEMBERED_S = 15.0  # so long a process shows what it knows to be announced, without asking

_NEEDED = {
    "WEB_PUSH_VAPID_PRIVATE_KEY": ("WEB_PUSH_CONTACT",),
    "APNS_KEY": ("APNS_KEY_ID", "APNS_TEAM_ID", "APNS_TOPIC"),
}
SMS_PROVIDERS = {"none": (), "twilio": ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_FROM")}


def check(configured: dict[str, Any]) -> None:
    """Raises ImproperlyConfigured for a way that is half switched on."""
    for switch, needed in _NEEDED.items():
        if configured[switch]:
            _all_there(switch, needed, configured)
    if configured["SMS_PROVIDER"] not in SMS_PROVIDERS:
        raise ImproperlyConfigured(f"SMS_PROVIDER is one of {', '.join(SMS_PROVIDERS)}.")
    _all_there("SMS_PROVIDER", SMS_PROVIDERS[configured["SMS_PROVIDER"]], configured)
    if configured["FCM_CREDENTIALS"]:
        token_place(configured["FCM_CREDENTIALS"])


def token_place(credentials: str) -> str:
    """Where Google gives the token for these credentials. Raises ImproperlyConfigured for what is no service account's file."""
    try:
        found = json.loads(credentials)
        if not all(isinstance(found[name], str) for name in ("project_id", "private_key", "client_email")):
            raise TypeError
        return str(found["token_uri"])
    except (ValueError, TypeError, KeyError):
        raise ImproperlyConfigured("FCM_CREDENTIALS is no service account's JSON.") from None


def _all_there(switch: str, needed: tuple[str, ...], configured: dict[str, Any]) -> None:
    for name in needed:
        if not configured[name]:
            raise ImproperlyConfigured(f"{switch} is set, so {name} must be, too.")


check(globals())
