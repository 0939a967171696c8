"""The master keys: read from settings (environment or file), never from the database, never kept longer than needed.

What must never happen here: a master key in a log line or an error, or one that is made up because none was given.
"""

from __future__ import annotations

import base64
import binascii

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from exchange.secrets import envelope


def current() -> bytes:
    """The key that wraps from now on: 32 bytes, written as 64 hexadecimal digits or in base64."""
    if settings.SECRETS_MASTER_KEY:
        return _decode(settings.SECRETS_MASTER_KEY, "SECRETS_MASTER_KEY")
    raise ImproperlyConfigured("Set SECRETS_MASTER_KEY (or SECRETS_MASTER_KEY_FILE): 32 bytes in hex or base64.")


def known() -> dict[str, bytes]:
    """Every key that may still have wrapped something, by its id: the current one and SECRETS_MASTER_KEYS_OLD."""
    old = [text for text in settings.SECRETS_MASTER_KEYS_OLD.split(",") if text.strip()]
    keys = [current(), *(_decode(text, "SECRETS_MASTER_KEYS_OLD") for text in old)]
    return {envelope.master_id(key): key for key in keys}


def _decode(text: str, name: str) -> bytes:
    text = text.strip()
    try:
        key = bytes.fromhex(text) if len(text) == 64 else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != envelope.KEY_BYTES:
        raise ImproperlyConfigured(f"{name} must hold 32 bytes: 64 hexadecimal digits, or base64.")
    return key
