"""Where the signer's own files stand, from its settings. Read in the signer process and its commands only."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings


def limits_path() -> Path:
    """SIGNER_LIMITS_FILE, or limits.json beside the keystore."""
    named = settings.SIGNER_LIMITS_FILE
    return Path(named) if named else Path(settings.KEYSTORE_PATH).with_name("limits.json")
