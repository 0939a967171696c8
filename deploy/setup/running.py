"""Runs a program of set-up: its output kept in a file, its lines shown as progress, its failure one readable sentence."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.setup import places
from deploy.setup.failures import SetupError
from deploy.setup.progress import say

LAST_LINES = 12
NETWORK_TRIES = 3
PAUSE_S = 5.0


def run(
    command: Sequence[str | Path],
    *,
    step: str,
    failing: str,
    line: Callable[[str], None] | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path = places.ROOT,
    tries: int = 1,
) -> None:
    """Runs to the end. `failing` says what could not be done and what to try; the program's last lines stand before it.

    `tries`: how often, with a growing pause, for a program that fetches something and finds its own work done.
    """
    for attempt in range(1, tries + 1):
        try:
            return _run(command, step=step, failing=failing, line=line, environment=environment, folder=folder)
        except SetupError:
            if attempt == tries:
                raise
            say(step, f"that failed; once more in {PAUSE_S * attempt:.0f} s")
            time.sleep(PAUSE_S * attempt)
    return None


def _run(
    command: Sequence[str | Path],
    *,
    step: str,
    failing: str,
    line: Callable[[str], None] | None,
    environment: Mapping[str, str] | None,
    folder: Path,
) -> None:
    log = places.ROOT / "var" / "log" / f"setup-{step}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    with log.open("a") as kept:
        child = subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        assert child.stdout is not None
        for text in child.stdout:
            kept.write(text)
            lines.append(text.rstrip())
            del lines[:-LAST_LINES]
            if line is not None:
                line(text.rstrip())
        if child.wait():
            raise SetupError("\n".join([*lines, f"{failing} (all of its output: {log})"]))
