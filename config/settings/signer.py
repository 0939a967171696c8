"""The signer: its own database role, its own keystore, one task, no web code. Nothing else in the house imports this.

What must never happen here: an app that serves pages, the run-time role's URL, or a default for where the keys lie.
"""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from config import chains, egress
from config.environment import broker_url, database, env, require

if os.environ.get("BOURSE_FAULTS") and not env.bool("BOURSE_DEMO", False):
    raise ImproperlyConfigured("BOURSE_FAULTS is for tests: it kills processes at named points.")

BASE_DIR = Path(__file__).resolve().parent.parent.parent
DEBUG = False
DEMO = env.bool("BOURSE_DEMO", False)
SECRET_KEY = "the-signer-signs-no-cookies"  # noqa: S105 - Django wants a value; nothing here uses it
ALLOWED_HOSTS: list[str] = []
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "custody"]
DATABASES = {"default": database("SIGNER_DATABASE_URL")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"

KEYSTORE_PATH = require("KEYSTORE_PATH")
# What wraps the keystore's key: a passphrase file, or a Vault's transit engine. One of the two must be named.
KEYSTORE_VAULT_ADDR = env.str("KEYSTORE_VAULT_ADDR", "")
KEYSTORE_VAULT_TOKEN_FILE = env.str("KEYSTORE_VAULT_TOKEN_FILE", "")
KEYSTORE_VAULT_KEY = env.str("KEYSTORE_VAULT_KEY", "")
KEYSTORE_VAULT_MOUNT = env.str("KEYSTORE_VAULT_MOUNT", "transit")
KEYSTORE_VAULT_NAMESPACE = env.str("KEYSTORE_VAULT_NAMESPACE", "")
KEYSTORE_VAULT_CA_FILE = env.str("KEYSTORE_VAULT_CA_FILE", "")
KEYSTORE_PASSPHRASE_FILE = (
    env.str("KEYSTORE_PASSPHRASE_FILE", "") if KEYSTORE_VAULT_ADDR else require("KEYSTORE_PASSPHRASE_FILE")
)
VELOCITY_LOG_PATH = require("VELOCITY_LOG_PATH")
EGRESS_ALLOWED_HOSTS = egress.allowed({"KEYSTORE_VAULT_ADDR": KEYSTORE_VAULT_ADDR})
EGRESS_PROXY = env.str("EGRESS_PROXY", "")
SIGNER_LIMITS_FILE = env.str("SIGNER_LIMITS_FILE", "")  # without it: limits.json beside the keystore
SIGNER_METRICS_PORT = env.int("SIGNER_METRICS_PORT", 0)  # /metrics, /livez, /readyz on 127.0.0.1; 0: none
# The signer knows by itself which chains it signs for: a job cannot talk it into another.
CHAINS = chains.rows(nodes=False)

REDIS_URL = require("REDIS_URL")
CELERY_BROKER_URL = broker_url(REDIS_URL)
LOGGING_CONFIG = "config.logs.configure"
LOGGING = {"level": env.str("LOG_LEVEL", "INFO"), "json": env.bool("LOG_JSON", True)}
