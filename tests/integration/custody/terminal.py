"""A person at a terminal, for tests: a command behind a pseudo-terminal, waited for by what it says and answered by keys."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Mapping

DEADLINE_S = 90


class Terminal:
    """One command. `expect` waits for a text and returns what came before and with it; `type` sends a line."""

    def __init__(self, command: list[str], *, cwd: str, env: Mapping[str, str]) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            command, cwd=cwd, env=dict(env), stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)
        self.said = ""
        self._read_to = 0

    def expect(self, text: str) -> str:
        deadline = time.monotonic() + DEADLINE_S
        while (found := re.search(text, self.said[self._read_to :])) is None:
            assert self._listen(deadline), f"it never said {text!r}; it said:\n{self.said}"
        part = self.said[self._read_to : self._read_to + found.end()]
        self._read_to += found.end()
        return part

    def type(self, line: str) -> None:
        os.write(self._master, line.encode() + b"\n")

    def end(self) -> int:
        """Waits for the end and gives the exit code."""
        deadline = time.monotonic() + DEADLINE_S
        while self._listen(deadline):
            pass
        return self.process.wait(DEADLINE_S)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(DEADLINE_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
        os.close(self._master)

    def _listen(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self._master, 65_536)
        except OSError:
            return False  # the other end is gone
        self.said += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)
