"""The test suite: dev's embedded services in a state folder of their own, without fsync; the run-time role, like production."""

import os
from pathlib import Path

os.environ.setdefault("BOURSE_STATE", str(Path(__file__).resolve().parent.parent.parent / "var" / "test"))
from config import embedded, environment

_services = embedded.ensure(durable=False)
os.environ.update(_services.environment)

from config.settings.dev import *  # noqa: E402, F403

DEMO = False
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher"
]  # fast on purpose; tests of hashing name Argon2 themselves
# Each xdist worker has a Valkey database number of its own.
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) + 1
REDIS_URL = f"{_services.environment['REDIS_URL']}?db={_worker}"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
CHANNEL_LAYERS = {
    "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}
}
CELERY_BROKER_URL = environment.broker_url(REDIS_URL)
LOGGING = {"level": "WARNING", "json": False}
os.environ["REDIS_URL"] = REDIS_URL
