"""Where the signer's own files stand, from its settings. Read in the signer process and its commands only."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings


def limits_path() -> Path:
    """SIGNER_LIMITS_FILE, or limits.json beside the keystore."""
    named = settings.SIGNER_LIMITS_FILE
    return Path(named) if named else Path(settings.KEYSTORE_PATH).with_name("limits.json")


def accounts_path() -> Path:
    """accounts.json beside the keystore: which hot accounts there are."""
    return Path(settings.KEYSTORE_PATH).with_name("accounts.json")


def cold_path() -> Path:
    """cold.json beside the keystore: the cold wallets that the signer knows by itself."""
    return Path(settings.KEYSTORE_PATH).with_name("cold.json")


def ceremony_log_path() -> Path:
    """ceremony.log beside the keystore: who held what, signed."""
    return Path(settings.KEYSTORE_PATH).with_name("ceremony.log")
