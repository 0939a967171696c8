"""Settings of the web process in `benchmarks.auth`: those of `benchmarks.http`, and log-ins from one address without number."""

from benchmarks.http_settings import *  # noqa: F403

ACCOUNT_RATE_LIMITS = {"login": "1000000/m/ip", "login_failed": "20/m/ip"}
