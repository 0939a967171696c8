"""Runs a program of set-up: its output kept in a file, its lines shown as progress, its failure one readable sentence."""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.setup import places
from deploy.setup.failures import SetupError

LAST_LINES = 12


def run(
    command: Sequence[str | Path],
    *,
    step: str,
    failing: str,
    line: Callable[[str], None] | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path = places.ROOT,
) -> None:
    """Runs to the end. `failing` says what could not be done and what to try; the program's last lines stand before it."""
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
