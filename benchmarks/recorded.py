"""The engine's statements, written down and said again: how fast the database is when nobody has to think.

`python -m benchmarks.recorded FILE` is the engine on a connection that writes down each statement with its parameters in their
places, and each COPY with its data. `play` says the same bytes to a copy of the database as it was before, by one psycopg2
connection in one loop. What must never happen here: a statement left out, or one that the engine did not send.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from collections import Counter
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2
from psycopg2 import extensions

from trading.runner import statements

COMMIT = b"COMMIT"
COPY_CHARACTERS = 1 << 20


class Said(NamedTuple):
    """One statement, ready to send, and COPY's data, None where it is no COPY."""

    sql: bytes
    data: str | None


class _Cursor(extensions.cursor):
    def execute(self, query: Any, arguments: Any = None) -> None:
        self.connection.said.append(Said(self.mogrify(query, arguments), None))
        super().execute(query, arguments)

    def copy_expert(self, sql: str, file: Any, size: int = 8192) -> None:
        if "TO STDOUT" not in sql:
            data = file.read()
            self.connection.said.append(Said(sql.encode(), data))
            file = StringIO(data)
        super().copy_expert(sql, file, size)


class _Connection(extensions.connection):
    """Writes down what it is told. What only reads the book at the start (a named cursor, COPY TO) is not of a batch."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.said: list[Said] = []
        _made.append(self)

    def cursor(self, *args: Any, **named: Any) -> Any:
        if args or "name" in named or "cursor_factory" in named:
            return super().cursor(*args, **named)
        return super().cursor(cursor_factory=_Cursor, **named)


_made: list[_Connection] = []


def engine(path: Path) -> None:
    """Run shard 0 until SIGTERM, then keep what its connection was told."""
    import django
    import redis

    django.setup()
    from django.conf import settings

    from trading.runner.shard import ShardProcess

    connect = psycopg2.connect
    psycopg2.connect = lambda *args, **named: connect(*args, **{**named, "connection_factory": _Connection})
    sys.setswitchinterval(0.0005)
    process = ShardProcess(shard=0, client=redis.Redis.from_url(settings.REDIS_URL, socket_timeout=10))
    signal.signal(signal.SIGTERM, lambda *_: process.stop())
    process.run()
    # The house-keeping's connection says little: the engine's is the one that says most.
    said = max((made.said for made in _made), key=len)
    with path.open("wb") as file:
        pickle.dump([tuple(each) for each in said], file)


def play(url: str, path: Path, *, warm_up: int) -> tuple[int, float, Counter[str]]:
    """Say it all. Commands written after the first `warm_up`, the seconds they took, and seconds by statement."""
    with path.open("rb") as file:
        said = [Said(*each) for each in pickle.load(file)]  # noqa: S301 - we wrote it ourselves a minute ago
    connection = psycopg2.connect(url)
    connection.autocommit = True  # BEGIN and COMMIT stand among what is said
    cursor = connection.cursor()
    commands, counted, began, spent = 0, 0, 0.0, Counter[str]()
    for sql, data in said:
        started = time.perf_counter()
        if data is None:
            cursor.execute(sql)
            if cursor.description is not None:
                cursor.fetchall()
            if sql.startswith(b"EXECUTE commands "):  # a small batch, its rows in one array
                commands += sql.count(statements.SEPARATOR.encode()) + 1
        else:
            cursor.copy_expert(sql.decode(), StringIO(data), COPY_CHARACTERS)
            if sql.startswith(b"COPY trading_command "):
                commands += data.count("\n")
        spent[sql[:44].decode()] += time.perf_counter() - started
        if sql == COMMIT and not began and commands >= warm_up:
            began, counted = time.perf_counter(), commands
            spent.clear()
    seconds = time.perf_counter() - began
    connection.close()
    return commands - counted, seconds, spent


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.engine")
    engine(Path(sys.argv[1]))
