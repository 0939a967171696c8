"""Where the keystore's key-encryption key comes from, by the signer's settings: a passphrase file, or a Vault.

Read in the signer process and its commands only. What must never happen here: a default for either.
"""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from custody import keystore
from custody.keystore import KeyEncryptionKey, PassphraseFile

SOURCES = ("passphrase", "vault")


class VaultFailed(RuntimeError):
    """Vault did not wrap or unwrap. The sentence says why, and holds no secret."""


class SourceMissing(RuntimeError):
    """The settings name no such source."""


def named(source: str) -> KeyEncryptionKey:
    """ "passphrase" or "vault". Raises SourceMissing, VaultFailed."""
    if source == "passphrase":
        if not settings.KEYSTORE_PASSPHRASE_FILE:
            raise SourceMissing("KEYSTORE_PASSPHRASE_FILE is not set.")
        return PassphraseFile(Path(settings.KEYSTORE_PASSPHRASE_FILE))
    if not (settings.KEYSTORE_VAULT_ADDR and settings.KEYSTORE_VAULT_TOKEN_FILE and settings.KEYSTORE_VAULT_KEY):
        raise SourceMissing("A Vault needs KEYSTORE_VAULT_ADDR, KEYSTORE_VAULT_TOKEN_FILE and KEYSTORE_VAULT_KEY.")
    # Only here: a signer with a passphrase file loads nothing that speaks HTTP.
    from custody.vault import VaultTransit

    return VaultTransit(
        address=settings.KEYSTORE_VAULT_ADDR,
        token_file=Path(settings.KEYSTORE_VAULT_TOKEN_FILE),
        key=settings.KEYSTORE_VAULT_KEY,
        mount=settings.KEYSTORE_VAULT_MOUNT,
        namespace=settings.KEYSTORE_VAULT_NAMESPACE,
        ca_file=settings.KEYSTORE_VAULT_CA_FILE,
    )


def for_new() -> KeyEncryptionKey:
    """What wraps a new keystore: the Vault where one is set, else the passphrase."""
    return named("vault" if settings.KEYSTORE_VAULT_ADDR else "passphrase")


def for_file(path: Path) -> KeyEncryptionKey:
    """What opens a keystore that stands, whichever way it is wrapped. Raises also what `keystore.wrapped_by` raises."""
    return named("vault" if keystore.wrapped_by(path) == "vault-transit" else "passphrase")


def open_seed() -> bytes:
    """The seed of the settings' keystore. Raises whatever stands in the way, with a sentence."""
    path = Path(settings.KEYSTORE_PATH)
    return keystore.open_seed(path, key=for_file(path))
