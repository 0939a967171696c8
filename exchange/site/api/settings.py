"""Settings of the API, for config.settings to take in. Plain values: nothing here imports Django."""

import os

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "exchange.accounts.api.scopes.ScopedSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["exchange.accounts.api.authentication.CustomerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["exchange.site.api.limits.ByCustomer"],
    "EXCEPTION_HANDLER": "exchange.site.api.errors.handler",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_METADATA_CLASS": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Bourse API",
    "VERSION": "1",
    "DESCRIPTION": (
        "Amounts, prices and quantities are decimal strings; times are ISO 8601 in UTC; lists are paged by cursor. "
        "Every error has one shape. Websocket channels are described in docs/api.md."
    ),
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,  # what is required of a PATCH is required
    "SERVE_PUBLIC": True,
    "ENUM_NAME_OVERRIDES": {
        "TimeInForceEnum": ["GTC", "IOC", "FOK", "GTD"],
        "LastingEnum": ["GTC", "GTD"],
        "ApiKeyKindEnum": ["ed25519", "hmac"],
        "ApiKeyStateEnum": ["live", "expired", "revoked"],
    },
    "PREPROCESSING_HOOKS": ["exchange.site.api.schema.only_the_api"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "exchange.site.api.schema.with_errors",
        "exchange.site.api.links.add",
    ],
}
# Requests, and the seconds they are spread over: a bucket of that size that refills evenly.
API_LIMITS = {
    "address": (3000, 60),
    "customer": (1200, 60),
    "orders": (600, 10),
    "key": (900, 60),  # one key's part of its customer's, and of the customer's orders
    "key_orders": (450, 10),
    "withdrawals": (60, 3600),
    "pictures": (60, 3600),
}
WEBSOCKET_LIMITS = {
    "message_bytes": 16 * 1024,
    "messages_per_s": 20,  # subscriptions, log-ins, pings
    "commands_per_s": 300,  # orders: beside the customer's own limit, which counts over all connections
    "in_flight": 100,
    "channels": 64,
    "per_user": 20,
    "per_address": 100,
    "log_in_check_s": float(os.environ.get("WEBSOCKET_LOG_IN_CHECK_S", "30")),
    "countdown_s": int(os.environ.get("WEBSOCKET_COUNTDOWN_S", "15")),
    "renew_s": float(os.environ.get("WEBSOCKET_RENEW_S", "5")),
}
