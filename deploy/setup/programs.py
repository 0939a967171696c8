"""The command line that starts each fetched program: the person's own where the environment names one, else ours.

Looks only at the file system. It starts nothing and fetches nothing.
"""

import os
import shlex
import shutil
from pathlib import Path

from deploy.setup import places, unpack
from deploy.setup.failures import SetupError

LIBRARIES = Path("usr/lib/x86_64-linux-gnu")
UNPACKED = {"bitcoind": Path("usr/bin/bitcoind"), "litecoind": Path("usr/lib/litecoin/litecoind")}
ANVIL = Path("node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil")


def _own(program: str) -> list[str] | None:
    """`BITCOIND=/usr/local/bin/bitcoind` and its like; a command with arguments is allowed."""
    named = shlex.split(os.environ.get(program.upper(), ""))
    if not named:
        return None
    if shutil.which(named[0]) is None:
        raise SetupError(
            f"{program.upper()}={named[0]} is not a program: correct it, or unset it to use the fetched one."
        )
    return named


def command(program: str) -> list[str]:
    """The words that start bitcoind, litecoind, anvil or chromium; raises SetupError when set-up has not run."""
    own = _own(program)
    if own is not None:
        return own
    if program == "anvil":
        found = places.ROOT / ANVIL
        if not found.exists():
            raise SetupError("anvil is not here yet: run `make setup`, or set ANVIL= to one of your own.")
        return [str(found)]
    if program == "chromium":
        return _chromium()
    done = unpack.unpacked("nodes")
    if done is None or not (done.root / UNPACKED[program]).exists():
        raise SetupError(f"{program} is not here yet: run `make setup`, or set {program.upper()}= to one of your own.")
    libraries = done.root / LIBRARIES
    loader = libraries / "ld-linux-x86-64.so.2"
    return [str(loader), "--library-path", str(libraries), str(done.root / UNPACKED[program])]


def _chromium() -> list[str]:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return [found]
    wrapper = places.cache() / "chromium" / "chromium"
    if not wrapper.exists():
        raise SetupError("chromium is not here yet: run `make setup-browser`, or set CHROMIUM= to one of your own.")
    return [str(wrapper)]
