"""A book loaded while its leader's heart is silent, before anybody knows that the leader is gone.

The rows are one snapshot's, and the shard's sequence is read in the same one. Every batch moves that on, so whoever takes the
lead and finds the shard at the same sequence has every open order as it stands; at any other, all of it is thrown away.
What must never happen here: a book used at another sequence than its own.
"""

from __future__ import annotations

import gc
from threading import Thread
from typing import Any

import psycopg2
import structlog

from trading.engine.matching import Engine
from trading.runner import loading

log = structlog.get_logger(__name__)

_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_SEQ = "SELECT seq FROM trading_shard WHERE id = %s"


class Ahead:
    """Loads in a thread of its own, on a connection that is nobody else's until it is `done`."""

    def __init__(self, connection: Any, *, shard: int) -> None:
        self._connection = connection
        self._shard = shard
        self._seq = -1
        self._engine: Engine | None = None
        self._thread = Thread(target=self._load, name="ahead", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether the connection is free again."""
        return not self._thread.is_alive()

    def take(self, *, seq: int) -> Engine | None:
        """The book, once, if the shard is where it was."""
        engine, self._engine = self._engine, None
        if self._seq == seq:
            return engine
        del engine
        gc.collect()  # a book is a ring of orders
        return None

    def _load(self) -> None:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(_SNAPSHOT)
                cursor.execute(_SEQ, (self._shard,))
                (seq,) = cursor.fetchone()
            engine = loading.load(self._connection, shard=self._shard)
            self._connection.rollback()
        except (psycopg2.Error, loading.HoldDiffers, TypeError) as error:
            log.warning("not loaded ahead", shard=self._shard, error=str(error).strip())
            self._connection.close()
        else:
            self._seq, self._engine = seq, engine
