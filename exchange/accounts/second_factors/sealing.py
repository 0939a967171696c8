"""Factors' secrets at rest: each is sealed for its own user, and opens for no other.

allauth asks its adapter to encrypt a text without saying whose it is. So the sealed text names its user, under a seal whose
context is that user; and a row whose secret names another user than the row does is refused as soon as it is read. Whoever can
write to the database therefore cannot lend somebody a secret that he knows.
What must never happen here: a secret sealed for nobody in particular.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from allauth.core import context as allauth_context
from allauth.mfa.models import Authenticator
from django.core.exceptions import ImproperlyConfigured
from django.db.models.signals import post_init, pre_save
from django.dispatch import receiver

from exchange.secrets import services as secrets

PURPOSE = "mfa"
_whose: ContextVar[int | None] = ContextVar("whose_factor", default=None)


@contextmanager
def for_user(user_id: int) -> Iterator[None]:
    """What is encrypted inside belongs to this user; for whoever makes factors outside a request of the user's own."""
    token = _whose.set(user_id)
    try:
        yield
    finally:
        _whose.reset(token)


def seal(text: str) -> str:
    """Seals for the user in whose name this runs: `for_user`, or the request's."""
    user_id = _whose.get() or _requesting()
    sealed = secrets.seal(purpose=PURPOSE, plaintext=text.encode(), context=_context(user_id))
    return f"{user_id}:{base64.b64encode(sealed).decode()}"


def unseal(sealed: str) -> str:
    """The secret; raises SecretTampered where it was sealed for somebody else than it says."""
    user_id, sealed_bytes = _parts(sealed)
    return secrets.open(purpose=PURPOSE, sealed=sealed_bytes, context=_context(user_id)).decode()


def reseal(sealed: str) -> str:
    """The same secret under the newest key; after a rotation."""
    user_id, sealed_bytes = _parts(sealed)
    moved = secrets.reseal(purpose=PURPOSE, sealed=sealed_bytes, context=_context(user_id))
    return f"{user_id}:{base64.b64encode(moved).decode()}"


def sealed_texts(data: dict[str, Any]) -> list[str]:
    """The sealed texts in a row's data: a TOTP secret, or recovery codes' seed."""
    return [data[name] for name in ("secret", "seed") if name in data]


@receiver([post_init, pre_save], sender=Authenticator)
def check_owner(sender: Any, instance: Authenticator, **kwargs: Any) -> None:
    """A row holds its own user's secret, when it is read and when it is written."""
    data = instance.__dict__.get("data")  # not where it was deferred
    for sealed in sealed_texts(data) if isinstance(data, dict) else ():
        if not _belongs(sealed, instance.user_id):
            raise secrets.SecretTampered("This factor's secret was sealed for another user.")


def _belongs(sealed: str, user_id: int) -> bool:
    return _parts(sealed)[0] == user_id


def _requesting() -> int:
    user = getattr(allauth_context.request, "user", None)
    if user is None or not user.is_authenticated:
        raise ImproperlyConfigured("Nobody is named whom this secret belongs to.")
    return int(user.pk)


def _context(user_id: int) -> str:
    return f"user:{user_id}"


def _parts(sealed: str) -> tuple[int, bytes]:
    user_id, colon, encoded = sealed.partition(":")
    if not (colon and user_id.isascii() and user_id.isdigit()):
        raise secrets.SecretTampered("This factor's secret names nobody.")
    return int(user_id), base64.b64decode(encoded)
