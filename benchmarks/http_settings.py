"""Settings of the web process in `benchmarks.http`: as in production, but for limits so wide that a load from one address
with a few customers passes. They are counted all the same: each order still spends from its buckets in Valkey."""

from config.settings.dev import *  # noqa: F403

DEMO = False
_WIDE = (1_000_000, 10)
API_LIMITS = dict.fromkeys(API_LIMITS, _WIDE)  # noqa: F405
WEBSOCKET_LIMITS = {**WEBSOCKET_LIMITS, "commands_per_s": 1_000_000}  # noqa: F405
LOGGING = {"level": "WARNING", "json": False}
