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
ENGINE_REPLY_TIMEOUT_S = 60.0  # a busy machine is no finding; tests of silence name a time of their own
KEPT_CONNECTIONS_ASKED_AFTER_S = 0.0  # databases are made anew between tests, faster than a second
# A network without a node is shown to nobody. Here nothing answers at these; a test that needs a node starts one.
NOBODY = "http://nobody:nothing@127.0.0.1:9"
CHAINS = {
    name: {**row, "url": NOBODY if name in ("bitcoin", "litecoin", "ethereum") else ""}
    for name, row in CHAINS.items()  # noqa: F405
}
WITHDRAWAL_EMAIL_CONFIRMATION = False  # tests of the link switch it on; the others have no mailbox to look into
SECOND_FACTOR_REQUIRED = False  # tests of it switch it on (`second_factor_required`)
WALLETS_BATCH_SECONDS = 0  # tests that gather a batch name a time of their own
BANNER_REMEMBERED_S = 0.0  # every page asks, so that none asks once more than the one before
KYC_FIRST_LEVEL = 4  # no limits; tests of limits give their customers a level, the others need no prices
