"""Where set-up and the demo keep things. One home for these paths: set-up fills them, config.regtest reads them.

Nothing here creates a folder or reads the network.
"""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def cache() -> Path:
    """Downloads and unpacked programs; `BOURSE_CACHE` lets several checkouts share one."""
    return Path(os.environ.get("BOURSE_CACHE") or ROOT / "var" / "cache").absolute()


def state() -> Path:
    """Everything that a running Bourse writes: databases, chains, keystore, mail."""
    return Path(os.environ.get("BOURSE_STATE") or ROOT / "var" / "dev").absolute()


def venv() -> Path:
    return ROOT / ".venv"


def contracts() -> Path:
    return ROOT / "var" / "contracts"


def manifest(name: str) -> Path:
    """What was unpacked under this name, as JSON (see `unpack.unpacked`)."""
    return cache() / f"{name}.json"
