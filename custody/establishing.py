"""Makes a signer's files around a seed: passphrase, limits, velocity log, and the keystore last.

The keystore is what makes a signer, so whatever was cut short before it can be done again. What must never happen here: an
existing keystore touched, or a log of signatures thrown away.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from django.conf import settings

from custody import accounts, key_sources, keystore, limits, private_files
from custody.accounts import Accounts
from custody.commands import limits as first_limits
from custody.commands.errors import NotDone
from custody.keystore import PassphraseFile
from custody.signer_paths import accounts_path, limits_path
from custody.signers.software import SoftwareSigner
from custody.velocity import LogDamaged, VelocityLog


def refuse_second() -> None:
    """Raises NotDone where a keystore stands."""
    path = Path(settings.KEYSTORE_PATH)
    if path.exists():
        raise NotDone(f"{path} stands already; a keystore is never overwritten.")


def establish(seed: bytes, *, rotated: Accounts | None = None, say: Any) -> SoftwareSigner:
    """Everything a signer needs, durable when this returns. Raises NotDone, FileExposed, VaultFailed, OSError."""
    refuse_second()
    signer = SoftwareSigner(seed)
    key = key_sources.for_new()
    if isinstance(key, PassphraseFile) and not key.path.exists():
        private_files.write_new(key.path, secrets.token_hex(32).encode() + b"\n")
        say(f"Made a passphrase in {key.path}. Keep it apart from the keystore's backup.")
    _log(signer)
    if not limits_path().exists():
        limits.write(limits_path(), first_limits.first())
    if rotated is not None:
        accounts.write(accounts_path(), rotated)
    keystore.create(Path(settings.KEYSTORE_PATH), key=key, seed=seed, fingerprint=signer.fingerprint)
    return signer


def _log(signer: SoftwareSigner) -> None:
    """The log of this seed goes on; one that nothing was ever signed with is made anew; any other stops everything."""
    path = Path(settings.VELOCITY_LOG_PATH)
    if path.exists():
        try:
            VelocityLog.open(path, key=signer.log_key()).close()
            return
        except LogDamaged:
            content = private_files.read(path, size_max=10_000_000_000)
        if content.count(b"\n") > 1 or (content and b'"version":1' not in content):
            raise NotDone(f"{path} belongs to another keystore; move it away, and keep it.")
        path.unlink()  # what was cut short left it, and nothing was ever signed with it
    VelocityLog.create(path, key=signer.log_key())
