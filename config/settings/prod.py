"""Production. Refuses to start without its URLs and secrets, and with anything that belongs to the demo."""

import os

from django.core.exceptions import ImproperlyConfigured

from config import egress, identity, telling
from config.environment import count, database_from_url, env, read_secret, require, require_own_password, require_random

for _name in ("DATABASE_URL", "REDIS_URL"):
    require(_name)

from config.settings.base import *  # noqa: E402, F403

if env.bool("BOURSE_DEMO", False):
    raise ImproperlyConfigured("BOURSE_DEMO is set: the demo cannot run under production settings.")
for _name in ("BOURSE_FAULTS", "ENGINE_FAULT"):
    if os.environ.get(_name):
        raise ImproperlyConfigured(f"{_name} is for tests: it kills processes at named points.")
for _name in ("KEYSTORE_PATH", "KEYSTORE_PASSPHRASE_FILE", "KEYSTORE_VAULT_TOKEN_FILE", "SIGNER_DATABASE_URL"):
    if os.environ.get(_name):
        raise ImproperlyConfigured(f"{_name} is the signer's alone; it must not be set where this process can read it.")

for _name in identity.STAND_INS:
    if os.environ.get(_name):
        raise ImproperlyConfigured(f"{_name} is for tests: it puts something else in a log-in provider's place.")
for _name in telling.STAND_INS:
    if os.environ.get(_name):
        raise ImproperlyConfigured(
            f"{_name} is for tests: it puts something else in the place of who carries our messages."
        )

PRODUCTION = True
if not env.bool("SECOND_FACTOR_REQUIRED", True):
    raise ImproperlyConfigured("SECOND_FACTOR_REQUIRED is off: withdrawals and API keys would need a password alone.")
if not WITHDRAWAL_EMAIL_CONFIRMATION:  # noqa: F405
    raise ImproperlyConfigured("WITHDRAWAL_EMAIL_CONFIRMATION is off: a stolen session would be enough to withdraw.")
if PRICE_SOURCE == "simulated":  # noqa: F405
    raise ImproperlyConfigured("PRICE_SOURCE is simulated: made-up prices would decide about limits.")
if env.bool("DEBUG", False):
    raise ImproperlyConfigured("DEBUG is set: pages would show what is inside.")
SECRET_KEY = require_random("SECRET_KEY", length=50)
SECRETS_MASTER_KEY = require_random("SECRETS_MASTER_KEY", length=44)
KYC_DOCUMENTS_DIR = require("KYC_DOCUMENTS_DIR")
SUBJECT_KEYS_DIR = require("SUBJECT_KEYS_DIR")
# No default: with too small a count all customers share the proxy's address, and whoever guesses passwords locks everybody out.
require("TRUSTED_PROXY_COUNT")
TRUSTED_PROXY_COUNT = count("TRUSTED_PROXY_COUNT")
require_own_password("REDIS_URL")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS")
if any(host in ("*", "") or host.startswith(".") for host in ALLOWED_HOSTS):
    raise ImproperlyConfigured("ALLOWED_HOSTS names every host, or every one of a domain: name ours.")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[f"https://{host}" for host in ALLOWED_HOSTS])
SITE_URL = env.str("SITE_URL", f"https://{ALLOWED_HOSTS[0]}")
DATABASES = {
    "default": database_from_url(require_own_password("DATABASE_URL")),
    # Set only where migrations run; the exchange's processes do without it.
    "owner": database_from_url(os.environ.get("DATABASE_OWNER_URL", ""), name="DATABASE_OWNER_URL"),
}

EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST = env.str("EMAIL_HOST", "localhost")
EMAIL_PORT = env.int("EMAIL_PORT", 587)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = read_secret("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", True)

SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", True)
# Without a proxy of ours X-Forwarded-Proto, as X-Forwarded-For, is anybody's word.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXY_COUNT > 0 else None
SECURE_HSTS_SECONDS = 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-session"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-csrf"
DEVICE_COOKIE_NAME = "__Host-device"
BREACHED_PASSWORDS_URL = env.str("BREACHED_PASSWORDS_URL", "https://api.pwnedpasswords.com/range/")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
EGRESS_ALLOWED_HOSTS = egress.allowed(globals())  # last: of the services as they are named here
