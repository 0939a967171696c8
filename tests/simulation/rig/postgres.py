"""Killing the embedded PostgreSQL with SIGKILL, and starting it again: a session's process, or the postmaster.

Only ever the server of this run's own BOURSE_STATE. The machine goes on, so what the kernel was given is safe; what stood in
PostgreSQL's own memory is gone, and that is what `synchronous_commit` is about.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import psycopg2

from config import embedded

RESTART_S = 180


def make_recovery_quick() -> None:
    """One sync of the whole file system before recovery, in place of one for each of some thousand files."""
    _configure(recovery_init_sync_method="syncfs", wal_writer_delay="200ms", bgwriter_lru_maxpages="100")


def make_losses_certain() -> None:
    """Asynchronous commits wait for ten seconds before anybody writes them; in the usual 0.2 s a slow machine may do nothing."""
    _configure(wal_writer_delay="10s", bgwriter_lru_maxpages="0")


def _configure(**settings: str) -> None:
    url = embedded._Postgres(embedded.state_folder()).url("superuser", "postgres")
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for name, value in settings.items():
            cursor.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        cursor.execute("SELECT pg_reload_conf()")
    connection.close()


def kill_session(shard: int) -> bool:
    """SIGKILL the session of the shard's leader: PostgreSQL ends all the others and recovers. False when there was none."""
    try:
        connection = psycopg2.connect(os.environ["ENGINE_DATABASE_URL"])  # others do not see when its sessions began
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT a.pid FROM trading_shard s JOIN pg_stat_activity a "
                "ON a.pid = s.leader_pid AND a.backend_start = s.leader_backend_start WHERE s.id = %s",
                (shard,),
            )
            row = cursor.fetchone()
        connection.close()
    except psycopg2.Error:
        return False
    if row is None:
        return False
    os.kill(row[0], signal.SIGKILL)
    return True


def kill_postmaster() -> None:
    """SIGKILL the server's first process; its children notice and go."""
    pid_file = embedded.state_folder() / "postgres" / "data" / "postmaster.pid"
    pid = int(pid_file.read_text().split()[0])
    assert b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes(), "somebody else's process"
    os.kill(pid, signal.SIGKILL)


def bring_back() -> None:
    """Until it answers; a killed one is started again as soon as nothing of the old one holds its memory."""
    until = time.monotonic() + RESTART_S
    while not answers():
        with contextlib.suppress(embedded.EmbeddedServiceError, psycopg2.Error):
            if not _postmaster_lives():
                embedded.ensure()
        assert time.monotonic() < until, "PostgreSQL does not come back"
        time.sleep(0.02)


def answers() -> bool:
    try:
        psycopg2.connect(os.environ["DATABASE_URL"]).close()
    except psycopg2.Error:
        return False
    return True


def _postmaster_lives() -> bool:
    try:
        pid = int((embedded.state_folder() / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        return False
