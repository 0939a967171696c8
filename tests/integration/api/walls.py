"""Every address with an id in it, whose id that is, and what a request of its owner's looks like.

`test_api_walls.py` walks the URLconf: an address with a part that varies and that stands in none of these tables fails it. A new
one is added here with the id of an object of Alice's, and the request that would read or change that object if it were let.
What must never happen here: a request so badly formed that it is refused for its form; the owner's own is sent as well.
"""

from __future__ import annotations

from typing import Any

# What varies in these is no object of anybody's: a market, an asset, a provider.
PUBLIC = {
    "api/v1/markets/<str:symbol>", "api/v1/markets/<str:symbol>/book", "api/v1/markets/<str:symbol>/trades",
    "api/v1/markets/<str:symbol>/ticker", "api/v1/markets/<str:symbol>/candles", "trade/<str:symbol>/",
    "wallet/deposit/<str:asset>/", "wallet/deposit/<str:asset>/live/", "wallet/withdraw/<str:asset>/",
    "hooks/kyc/<slug:provider>/", "announcements/<slug:slug>/",
    "help/<slug:topic>/", "legal/<slug:topic>/",
}  # fmt: skip

# Whoever holds the token may: it goes to its owner's mailbox alone. Their own rooms' tests try wrong, old and used ones.
TOKENS = {
    "wallet/withdrawals/confirm/<str:token>/", "account/not-me/<str:token>/",
    r"accounts/^confirm-email/(?P<key>[-:\w]+)/$",
    r"accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
}  # fmt: skip

# Address → the requests that its owner could send. In an address {name} is an object of Alice's.
Request = tuple[str, Any]
WORDS = {
    "given_names": "Mallory",
    "family_names": "M",
    "birth_date": "1990-01-01",
    "nationality": "DE",
    "country": "DE",
}
OBJECTS: dict[str, tuple[str, list[Request]]] = {
    "api/v1/api-keys/<str:key_id>": ("api/v1/api-keys/{key}", [("PATCH", {"label": "taken"}), ("DELETE", None)]),
    "api/v1/orders/<int:order_id>": (
        "api/v1/orders/{order}", [("GET", None), ("PATCH", {"quantity": "0.2"}), ("DELETE", None)],
    ),
    "api/v1/orders/by-client-id/<str:client_order_id>": (
        "api/v1/orders/by-client-id/{client_order}", [("GET", None), ("PATCH", {"quantity": "0.1"}), ("DELETE", None)],
    ),
    "api/v1/deposits/<uuid:deposit_id>": ("api/v1/deposits/{deposit}", [("GET", None)]),
    "api/v1/withdrawals/<uuid:withdrawal_id>": ("api/v1/withdrawals/{withdrawal}", [("GET", None)]),
    "api/v1/withdrawals/<uuid:withdrawal_id>/cancel": ("api/v1/withdrawals/{withdrawal}/cancel", [("POST", {})]),
    "api/v1/withdrawal-addresses/<int:entry_id>": (
        "api/v1/withdrawal-addresses/{entry}", [("PATCH", {"label": "taken"}), ("DELETE", None)],
    ),
    "api/v1/push-devices/<int:device_id>": ("api/v1/push-devices/{push_device}", [("DELETE", None)]),
    "wallet/bank/<int:transfer_id>/cancel/": ("wallet/bank/{bank}/cancel/", [("POST", {})]),
    "wallet/statements/<int:statement_id>/": ("wallet/statements/{statement}/", [("GET", None)]),
    "account/notifications/<int:notification_id>/open/": (
        "account/notifications/{notification}/open/", [("POST", {})],
    ),
    "account/notifications/settings/devices/<int:device_id>/remove/": (
        "account/notifications/settings/devices/{push_device}/remove/", [("POST", {})],
    ),
    "api/v1/invoices/<uuid:invoice_id>": ("api/v1/invoices/{invoice}", [("GET", None)]),
    "api/v1/kyc/applications/<uuid:application_id>": ("api/v1/kyc/applications/{application}", [("GET", None)]),
    "api/v1/kyc/applications/<uuid:application_id>/words": (
        "api/v1/kyc/applications/{application}/words", [("PUT", WORDS)],
    ),
    "api/v1/kyc/applications/<uuid:application_id>/pictures": (
        "api/v1/kyc/applications/{application}/pictures?kind=selfie", [("POST", b"picture")],
    ),
    "api/v1/kyc/applications/<uuid:application_id>/pictures/<uuid:document_id>": (
        "api/v1/kyc/applications/{application}/pictures/{document}", [("DELETE", None)],
    ),
    "api/v1/kyc/applications/<uuid:application_id>/submit": (
        "api/v1/kyc/applications/{application}/submit", [("POST", {})],
    ),
    "orders/<int:order_id>/cancel/": ("orders/{order}/cancel/", [("POST", {})]),
    "wallet/withdrawals/<uuid:withdrawal_id>/": ("wallet/withdrawals/{withdrawal}/", [("GET", None)]),
    "wallet/withdrawals/<uuid:withdrawal_id>/live/": ("wallet/withdrawals/{withdrawal}/live/", [("GET", None)]),
    "wallet/withdrawals/<uuid:withdrawal_id>/cancel/": ("wallet/withdrawals/{withdrawal}/cancel/", [("POST", {})]),
    "wallet/addresses/<int:entry_id>/label/": ("wallet/addresses/{entry}/label/", [("POST", {"label": "taken"})]),
    "wallet/addresses/<int:entry_id>/remove/": ("wallet/addresses/{entry}/remove/", [("POST", {})]),
    "account/api-keys/<str:key_id>/label/": ("account/api-keys/{key}/label/", [("POST", {"label": "taken"})]),
    "account/api-keys/<str:key_id>/revoke/": ("account/api-keys/{key}/revoke/", [("POST", {})]),
    "account/log-ins/<int:session_id>/end/": ("account/log-ins/{session}/end/", [("POST", {})]),
    "account/devices/<int:device_id>/forget/": ("account/devices/{device}/forget/", [("POST", {})]),
    "account/export/<int:export_id>/": ("account/export/{export}/", [("GET", None)]),
    "account/verification/<uuid:application_id>/": ("account/verification/{application}/", [("GET", None)]),
    "account/verification/<uuid:application_id>/words/": (
        "account/verification/{application}/words/", [("POST", WORDS)],
    ),
    "account/verification/<uuid:application_id>/pictures/<slug:kind>/": (
        "account/verification/{application}/pictures/selfie/", [("POST", {})],
    ),
    "account/verification/<uuid:application_id>/pictures/<uuid:document_id>/remove/": (
        "account/verification/{application}/pictures/{document}/remove/", [("POST", {})],
    ),
    "account/verification/<uuid:application_id>/submit/": (
        "account/verification/{application}/submit/", [("POST", {})],
    ),
    "accounts/2fa/webauthn/keys/<int:pk>/remove/": ("accounts/2fa/webauthn/keys/{passkey}/remove/", [("POST", {})]),
    "accounts/2fa/webauthn/keys/<int:pk>/edit/": (
        "accounts/2fa/webauthn/keys/{passkey}/edit/", [("GET", None), ("POST", {"name": "taken"})],
    ),
}  # fmt: skip

# Addresses that take no GET, or whose GET does something to the caller's own log-in: asked by nobody here.
NOT_ASKED = {"accounts/logout/", "_allauth/app/v1/auth/session", "metrics"}
