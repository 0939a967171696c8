"""bitcoind and litecoind from Debian's packages, unpacked beside the system with the C library they were built for.

Debian 12 has neither, and a newer C library must not reach the rest of the system: the programs are started through
their own folder's loader (`programs.command` builds that line).
"""

import os
import subprocess

from deploy.setup import programs, unpack
from deploy.setup.failures import SetupError
from deploy.setup.progress import say

NAME = "nodes"
STEP = "nodes"
SUITES = ("trixie", "trixie-backports")
# bitcoin-knots is a Bitcoin Core derivative with the same RPC; it is the one that Debian carries.
WANTED = {"BITCOIND": "bitcoin-knots", "LITECOIND": "litecoind"}
# Needed to install packages, or to run them as a system service; not to run the programs.
WITHOUT = frozenset({"debconf", "systemd", "systemd-standalone-sysusers", "systemd-sysusers", "adduser", "gcc-14-base"})


def prepare() -> None:
    """Unpacks what no environment variable names; does nothing when it stands already."""
    wanted = [package for variable, package in WANTED.items() if not os.environ.get(variable)]
    if not wanted:
        say(STEP, "BITCOIND and LITECOIND are set: nothing to fetch")
        return
    done = unpack.unpacked(NAME)
    if done is None or not set(wanted) <= done.versions.keys():
        done = unpack.packages(name=NAME, wanted=wanted, suites=SUITES, without=WITHOUT, step=STEP)
        _prove(done)
    say(STEP, ", ".join(f"{package} {done.versions[package]}" for package in wanted) + f" in {done.root}")


def _prove(done: unpack.Unpacked) -> None:
    """Each program must at least tell its version: a missing library is found here, not in a test an hour later."""
    for variable in WANTED:
        if os.environ.get(variable):
            continue
        command = [*programs.command(variable.lower()), "-version"]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            places_it = f"{variable.lower()} in {done.root}"
            raise SetupError(
                f"{places_it} does not start: {ran.stderr.strip()[:300]} Set {variable}= to one of your own."
            )
