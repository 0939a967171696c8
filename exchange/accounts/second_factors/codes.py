"""Codes of authenticator apps: right, and right only once.

allauth judges whether a code is right. That one was taken is remembered in the shared cache for longer than any clock would
still accept it, so that no process takes it again. What must never happen here: a code taken while nobody can tell whether it
was taken before (then the cache's error is the answer).
"""

from __future__ import annotations

import time

from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa import app_settings
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth
from django.core.cache import cache

from exchange.accounts.second_factors import sealing, selectors


def check(*, user_id: int, code: str) -> bool:
    """Whether `code` is what the person's app shows now, and was not taken before. Takes it."""
    row = _row(user_id)
    return row is not None and row.wrap().validate_code(code) and claim(user_id=user_id, code=code)


def claim(*, user_id: int, code: str) -> bool:
    """Takes a code that was found right; False where it has been taken."""
    kept_s = app_settings.TOTP_PERIOD * (2 * app_settings.TOTP_TOLERANCE + 2)
    return bool(cache.add(f"second-factor:taken:{user_id}:{normalize_user_code(code)}", 1, timeout=kept_s))


def present(user_id: int, *, at: float | None = None) -> str:
    """What the person's app shows: for the demo and for tests, which have no telephone."""
    row = _row(user_id)
    if row is None:
        raise LookupError(f"user:{user_id} has no authenticator app.")
    return of_secret(sealing.unseal(row.data["secret"]), at=at)


def of_secret(secret: str, *, at: float | None = None) -> str:
    """The code of a secret, now or `at` a time."""
    counter = int(time.time() if at is None else at) // app_settings.TOTP_PERIOD
    return auth.format_hotp_value(auth.hotp_value(secret, counter))


def _row(user_id: int) -> Authenticator | None:
    return Authenticator.objects.filter(user_id=user_id, type=selectors.TOTP).first()
