"""The test suite: dev's embedded services in a state folder of their own, without fsync; the run-time role, like production."""

import os
from pathlib import Path

os.environ.setdefault("BOURSE_STATE", str(Path(__file__).resolve().parent.parent.parent / "var" / "test"))
from config import embedded

# Each xdist worker has a Valkey of its own.
_worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
os.environ.update(embedded.ensure(durable=False, valkey=f"valkey-{_worker}").environment)

from config.settings.dev import *  # noqa: E402, F403

DEMO = False
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher"
]  # fast on purpose; tests of hashing name Argon2 themselves
LOGGING = {"level": "WARNING", "json": False}
KEPT_CONNECTIONS_ASKED_AFTER_S = 0.0  # databases are made anew between tests, faster than a second
