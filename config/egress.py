"""Which places outside may be called: worked out of the services that are configured, so that nobody keeps a second list.

Pure, and the one list for production's EGRESS_ALLOWED_HOSTS. E-mail, the database and the broker are not here: they are no HTTP,
and each goes to the one host that its own setting names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config import telling
from exchange.outgoing import places

# What our own server asks a log-in provider; `authorize` and `issuer` are for the visitor's browser.
ASKED_OF_PROVIDERS = ("token", "keys", "me", "debug")


def allowed(configured: Mapping[str, Any]) -> list[str]:
    """ "host:port" of every service that these settings name. Raises ImproperlyConfigured for a URL that is none."""
    found = set()
    for name, url in _urls(configured):
        try:
            found.add(places.place(url))
        except places.NotAllowed as error:
            raise ImproperlyConfigured(f"{name}: {error}") from None
    return sorted(found)


def _urls(configured: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The setting's name and the URL, for each service that is switched on."""
    if configured.get("CMC_API_KEY"):
        yield "CMC_BASE_URL", configured["CMC_BASE_URL"]
    if configured.get("KYC_PROVIDER") == "sumsub":
        yield "SUMSUB_BASE_URL", configured["SUMSUB_BASE_URL"]
    for name in ("BREACHED_PASSWORDS_URL", "KEYSTORE_VAULT_ADDR"):
        if configured.get(name):
            yield name, configured[name]
    for url in configured.get("SANCTIONS_URL", "").split(","):
        if url.strip():
            yield "SANCTIONS_URL", url.strip()
    yield from _ways_of_telling(configured)
    for name in configured.get("SOCIALACCOUNT_PROVIDERS", {}):
        known = configured["PROVIDER_ENDPOINTS"][name]
        yield from ((name, known[what]) for what in ASKED_OF_PROVIDERS if what in known)
    for name, row in configured.get("CHAINS", {}).items():
        yield from ((name, row[which]) for which in ("url", "second_url") if row.get(which))


def _ways_of_telling(configured: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Push services and SMS (config/telling.py)."""
    if configured.get("WEB_PUSH_VAPID_PRIVATE_KEY"):
        yield from (("WEB_PUSH_SERVICES", f"https://{host}") for host in configured["WEB_PUSH_SERVICES"])
    if configured.get("FCM_CREDENTIALS"):
        yield "FCM_URL", configured["FCM_URL"]
        yield "FCM_CREDENTIALS", telling.token_place(configured["FCM_CREDENTIALS"])
    if configured.get("APNS_KEY"):
        yield "APNS_URL", configured["APNS_URL"]
    if configured.get("SMS_PROVIDER") == "twilio":
        yield "TWILIO_URL", configured["TWILIO_URL"]
