"""A developer's machine and the demo: embedded services when no URL is set, mail into files, plain http on 127.0.0.1."""

import os
from pathlib import Path

from config import chains, embedded

if not os.environ.get("DATABASE_URL") or not os.environ.get("REDIS_URL"):
    for _name, _value in embedded.ensure().environment.items():
        os.environ.setdefault(_name, _value)

from config.settings.base import *  # noqa: F403
from config.settings.base import LOGGING, env

DEBUG = env.bool("DEBUG", False)
DEMO = env.bool("BOURSE_DEMO", True)
STATE_DIR = Path(embedded.state_folder())
SECRET_KEY = env.str("SECRET_KEY", "only-for-development-machines-" + "x" * 40)
SECRETS_MASTER_KEY = env.str(
    "SECRETS_MASTER_KEY", "00" * 32
)  # development data only; prod refuses to start without its own
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]", *env.list("ALLOWED_HOSTS", default=[])]
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = STATE_DIR / "mail"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
LOGGING = {**LOGGING, "json": False}

CHAINS = chains.rows(regtest=True)

EGRESS_ALLOWED_HOSTS = None  # tests and the demo put local servers in the services' places

KYC_DOCUMENTS_DIR = env.str("KYC_DOCUMENTS_DIR", str(STATE_DIR / "kyc" / "documents"))
SUBJECT_KEYS_DIR = env.str("SUBJECT_KEYS_DIR", str(STATE_DIR / "kyc" / "keys"))
