"""The real signer for tests: its own process, keystore, database role and settings, as in production."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 180
PR_SET_PDEATHSIG = 1
TOKEN_LIMITS = ("--asset-id", "4", "--symbol", "USDT", "--decimals", "6", "--each", "50000", "--hour", "500000",
                "--day", "500000", "--fee", "0.05")  # fmt: skip


def _die_with_the_tests() -> None:
    """A test run that is killed leaves no signer behind, not even one that was paused."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class SignerProcess:
    """One keystore in a folder; `start` and `stop` its process as often as a test wants."""

    def __init__(self, folder: Path, *, database_url: Callable[[str], str], redis_url: str) -> None:
        self.folder = folder
        self.public = folder / "public.json"
        self.log = folder / "signer.log"
        self._database_url = database_url
        self._redis_url = redis_url
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        broker = self._redis_url.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "DJANGO_SETTINGS_MODULE": "config.settings.signer",
            "PYTHONPATH": str(ROOT),
            "SIGNER_DATABASE_URL": self._database_url("signer"),
            "REDIS_URL": broker,
            "KEYSTORE_PATH": str(self.folder / "keystore"),
            "KEYSTORE_PASSPHRASE_FILE": str(self.folder / "passphrase"),
            "VELOCITY_LOG_PATH": str(self.folder / "velocity.log"),
            "BITCOIN_NETWORK": "regtest",
            "LITECOIN_NETWORK": "regtest",
            "ETHEREUM_CHAIN_ID": "31337",
        }

    def custody(self, *arguments: str) -> None:
        """`manage.py custody …` under the signer's settings."""
        command = [sys.executable, str(ROOT / "manage.py"), "custody", *arguments]
        done = subprocess.run(command, env=self.environment, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def public_keys(self) -> dict[str, Any]:
        if not self.public.exists():
            self.custody("init", "--public", str(self.public))
        return dict(json.loads(self.public.read_text()))

    def allow_token(self, contract: str) -> None:
        self.custody("limit", f"ethereum:{contract}", *TOKEN_LIMITS)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            return
        before = self.log.read_text().count("signer ready") if self.log.exists() else 0
        command = [sys.executable, "-m", "celery", "-A", "custody.signer_app", "worker", "-Q", "signing", "-P", "solo",
                   "-n", "signer@test", "--without-gossip", "--without-mingle"]  # fmt: skip
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env=self.environment,
                cwd=ROOT,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_the_tests,  # noqa: PLW1509 - one thread forks here, and the call takes no lock
            )
        deadline = time.monotonic() + START_SECONDS
        while self.log.read_text().count("signer ready") == before:
            assert self._process.poll() is None and time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.1)

    def pause(self) -> None:
        """Stands still without a connection: the database of a test is dropped, which needs nobody in it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        connection = psycopg2.connect(self._database_url("signer"))
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid()"
            )
        connection.close()

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait(120)
            self._process = None
