"""Who may vouch for a customer: the log-in providers that the operator has switched on by environment variables.

A provider is switched on by its client id; then its secret must be there, too, from a variable or from the file that
`<NAME>_FILE` names. What must never happen here: a provider that answers somewhere else than it does in the world
(`GOOGLE_URL` and its like point at a stand-in, for tests; config.settings.prod refuses them), or an account joined to
somebody because of an e-mail address that a provider names.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from config.environment import env, read_secret

# id as allauth stores it, and the prefix of its variables.
PREFIXES = {"google": "GOOGLE", "facebook": "FACEBOOK", "twitter_oauth2": "X", "apple": "APPLE"}
STAND_INS = tuple(f"{prefix}_URL" for prefix in PREFIXES.values())
_GRAPH = "https://graph.facebook.com/v23.0"

# https://accounts.google.com/.well-known/openid-configuration
# https://developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow and …/limited-login/token/validating
# https://docs.x.com/fundamentals/authentication/oauth-2-0/authorization-code
# https://developer.apple.com/documentation/signinwithapplerestapi
ENDPOINTS: dict[str, dict[str, str]] = {
    "google": {
        "issuer": "https://accounts.google.com",
        "authorize": "https://accounts.google.com/o/oauth2/v2/auth",
        "token": "https://oauth2.googleapis.com/token",
        "keys": "https://www.googleapis.com/oauth2/v3/certs",
    },
    "facebook": {
        "issuer": "https://www.facebook.com",
        "authorize": "https://www.facebook.com/v23.0/dialog/oauth",
        "token": f"{_GRAPH}/oauth/access_token",
        "me": f"{_GRAPH}/me",
        "debug": f"{_GRAPH}/debug_token",
        "keys": "https://limited.facebook.com/.well-known/oauth/openid/jwks/",
    },
    "twitter_oauth2": {
        "authorize": "https://x.com/i/oauth2/authorize",
        "token": "https://api.x.com/2/oauth2/token",
        "me": "https://api.x.com/2/users/me",
    },
    "apple": {
        "issuer": "https://appleid.apple.com",
        "authorize": "https://appleid.apple.com/auth/authorize",
        "token": "https://appleid.apple.com/auth/token",
        "keys": "https://appleid.apple.com/auth/keys",
    },
}
# A phone's browser is sent on to another host of Facebook's.
_FURTHER_ORIGINS = {"facebook": ("https://m.facebook.com",)}
_SCOPES = {
    "google": ["openid", "email", "profile"],
    "facebook": ["email", "public_profile"],
    "twitter_oauth2": ["users.read", "tweet.read"],  # users/me asks for both
    "apple": ["email"],
}
_PKCE = frozenset({"google", "twitter_oauth2"})  # the others' authorization servers know no code_challenge


def _needed(name: str, *, because: str) -> str:
    value = read_secret(name)
    if not value:
        raise ImproperlyConfigured(f"{because} is set, so {name} (or {name}_FILE) must be, too.")
    return value


def _apps(name: str) -> list[dict[str, Any]]:
    """The site's own client first; then the mobile apps' clients, whose id_tokens are taken and who have no button."""
    prefix = PREFIXES[name]
    switch = f"{prefix}_CLIENT_ID"
    client_id = env.str(switch, "")
    if not client_id:
        return []
    if name == "apple":
        own = {
            "client_id": client_id,
            "secret": _needed("APPLE_KEY_ID", because=switch),
            "key": _needed("APPLE_TEAM_ID", because=switch),
            "settings": {"certificate_key": _needed("APPLE_PRIVATE_KEY", because=switch).replace("\\n", "\n")},
        }
    else:
        own = {"client_id": client_id, "secret": _needed(f"{prefix}_CLIENT_SECRET", because=switch)}
    apps = [own]
    if name in ("google", "apple"):
        mobiles = env.list(f"{prefix}_APP_CLIENT_IDS", default=[])
        apps += [{"client_id": mobile.strip(), "secret": "", "settings": {"hidden": True}} for mobile in mobiles]
    return apps


def providers() -> dict[str, dict[str, Any]]:
    """allauth's SOCIALACCOUNT_PROVIDERS: those that are switched on. Raises ImproperlyConfigured for half a configuration."""
    found = {}
    for name in PREFIXES:
        if apps := _apps(name):
            found[name] = {"APPS": apps, "SCOPE": _SCOPES[name], "OAUTH_PKCE_ENABLED": name in _PKCE}
    return found


def endpoints() -> dict[str, dict[str, str]]:
    """Where each provider answers; at a stand-in, under the same paths."""
    found = {}
    for name, known in ENDPOINTS.items():
        base = env.str(f"{PREFIXES[name]}_URL", "").rstrip("/")
        found[name] = {
            what: url if not base else base + ("" if what == "issuer" else urlsplit(url).path)
            for what, url in known.items()
        }
    return found


def form_origins(switched_on: dict[str, Any], where: dict[str, dict[str, str]]) -> list[str]:
    """Where the providers' buttons may lead: each posts to us and is sent on, and Chromium holds that to form-action, too."""
    origins = []
    for name in switched_on:
        parts = urlsplit(where[name]["authorize"])
        origins += [f"{parts.scheme}://{parts.netloc}", *_FURTHER_ORIGINS.get(name, ())]
    return origins


SOCIALACCOUNT_PROVIDERS = providers()
PROVIDER_ENDPOINTS = endpoints()
PROVIDER_ORIGINS = form_origins(SOCIALACCOUNT_PROVIDERS, PROVIDER_ENDPOINTS)
PROVIDER_APPS = [
    "exchange.accounts.providers.google",
    "exchange.accounts.providers.facebook",
    "exchange.accounts.providers.x",
    "exchange.accounts.providers.apple",
]
SOCIALACCOUNT_ONLY = False
SOCIALACCOUNT_ADAPTER = "exchange.accounts.providers.adapter.SocialAccountAdapter"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False  # nobody is let into an account because a provider names its address
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = False
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_LOGIN_ON_GET = False
SOCIALACCOUNT_REQUESTS_TIMEOUT = 10
# exchange.accounts.providers.linking asks for more than allauth's own check, and before anybody leaves for the provider.
SOCIALACCOUNT_REAUTHENTICATION_REQUIRED = False
