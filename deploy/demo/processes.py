"""The Procfile's processes under honcho, with two additions: one that crashes is started again, and each has its own secrets.

The signer gets the keystore and its own database URL and nothing of the web's; nobody else gets those.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from honcho.environ import parse_procfile
from honcho.manager import SYSTEM_PRINTER_NAME, Manager
from honcho.printer import Message, Printer
from honcho.process import Process

RESTART_AFTER_S = 1.0
SHORT_LIFE_S = 10.0
SHORT_LIVES_MAX = 5
LOG_BYTES_MAX = 20_000_000
# What a person wants to see while the demo runs; everything is in the log files.
WORTH_SHOWING = ("[error", "[critical", "Traceback", "ERROR", "CRITICAL", "Error:")
SIGNER_ALONE = (
    "SIGNER_DATABASE_URL",
    "KEYSTORE_PATH",
    "KEYSTORE_PASSPHRASE_FILE",
    "VELOCITY_LOG_PATH",
    "SIGNER_LIMITS_FILE",
)
ENGINE_ALONE = ("ENGINE_DATABASE_URL",)
NOBODYS = ("DATABASE_OWNER_URL",)
NOT_THE_SIGNERS = (
    "DATABASE_URL",
    "SECRETS_MASTER_KEY",
    "SECRET_KEY",
    "BITCOIN_RPC_URL",
    "LITECOIN_RPC_URL",
    "ETHEREUM_RPC_URL",
)


def environment_of(name: str, everything: Mapping[str, str]) -> dict[str, str]:
    """What one process may know of the whole environment."""
    withheld = {*NOBODYS, *SIGNER_ALONE, *ENGINE_ALONE}
    if name == "signer":
        withheld = {*NOBODYS, *ENGINE_ALONE, *NOT_THE_SIGNERS}
    elif name == "engine":
        withheld = {*NOBODYS, *SIGNER_ALONE}
    return {variable: value for variable, value in everything.items() if variable not in withheld}


def commands(*procfiles: Path) -> dict[str, str]:
    """name → command line, of several Procfiles in their order."""
    found: dict[str, str] = {}
    for procfile in procfiles:
        found.update(parse_procfile(procfile.read_text()).processes)
    return found


class KeptProcess(Process):  # type: ignore[misc]
    """Started again when it crashes or is killed; given up when it does not live for ten seconds five times in a row."""

    ending: Any = None  # a multiprocessing.Event, set once the whole demo ends

    def run(self, events: Any = None, ignore_signals: bool = False) -> None:
        self._events = events
        if ignore_signals:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        manager = os.getppid()
        short_lives = 0
        while True:
            started_at = time.monotonic()
            code = self._live()
            if self.ending.is_set() or os.getppid() != manager or code in (0, -signal.SIGTERM, -signal.SIGINT):
                break
            short_lives = short_lives + 1 if time.monotonic() - started_at < SHORT_LIFE_S else 0
            if short_lives >= SHORT_LIVES_MAX:
                self._send_message(f"Error: ended with {code} again and again; giving up\n".encode())
                break
            self._send_message(f"Error: ended with {code}; starting it again\n".encode())
            if self.ending.wait(RESTART_AFTER_S):
                break
        self._send_message({"returncode": code}, type="stop")

    def _live(self) -> int:
        self._child = self._child_ctor(self.cmd, env=self.env, cwd=self.cwd, preexec_fn=_take_signals)
        self._send_message({"pid": self._child.pid}, type="start")
        for line in iter(self._child.stdout.readline, b""):
            self._send_message(line)
        self._child.stdout.close()
        return int(self._child.wait())


def _take_signals() -> None:
    # A process that was started again inherits "ignored" from the one that waits for it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


class KeepingManager(Manager):  # type: ignore[misc]
    """honcho's, with processes that are kept, and a hook for the moment when all were started."""

    def __init__(self, printer: Printer) -> None:
        super().__init__(printer)
        self._ending = multiprocessing.Event()

    def add(self, name: str, command: str, *, environment: Mapping[str, str], folder: Path) -> None:
        self._process_ctor = KeptProcess
        process = self.add_process(name, command, env=dict(environment), cwd=str(folder))
        process.ending = self._ending

    def terminate(self) -> None:
        self._ending.set()
        self._printer.ending = True
        super().terminate()

    def end_on(self, number: signal.Signals) -> None:
        """A signal that honcho does not know, such as the terminal's hang-up, ends the demo too."""

        def end(_number: int, _frame: FrameType | None) -> None:
            self.returncode = 128 + number
            self.terminate()

        signal.signal(number, end)


class LoggingPrinter(Printer):  # type: ignore[misc]
    """Every line into the process's own log file; on the terminal only what a person should see."""

    def __init__(self, *, folder: Path, output: TextIO, verbose: bool) -> None:
        super().__init__(output)
        self.folder = folder
        self.verbose = verbose
        self.ending = False  # from then on, tasks that are cut off complain; their logs have it
        self._files: dict[str, TextIO] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, message: Message) -> None:
        data = message.data.decode("utf-8", "replace") if isinstance(message.data, bytes) else message.data
        file = self._file(message.name)
        for line in data.splitlines():
            file.write(f"{message.time:%Y-%m-%d %H:%M:%S} {line}\n")
        if self.verbose or (not self.ending and self._worth_showing(message.name, data)):
            super().write(message._replace(data=data))

    def _worth_showing(self, name: str, text: str) -> bool:
        return name != SYSTEM_PRINTER_NAME and any(word in text for word in WORTH_SHOWING)

    def _file(self, name: str) -> TextIO:
        """The process's log; one full file is kept beside the current one."""
        path = self.folder / f"{name}.log"
        if name in self._files and self._files[name].tell() < LOG_BYTES_MAX:
            return self._files[name]
        if name in self._files:
            self._files[name].close()
        if path.exists() and path.stat().st_size >= LOG_BYTES_MAX:
            path.replace(path.with_suffix(".log.1"))
        self._files[name] = path.open("a", buffering=1)
        return self._files[name]
