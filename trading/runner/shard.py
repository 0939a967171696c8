"""The engine's process: lead a shard, or stand by until its leader is gone.

Whatever is in doubt ends one way: the book is thrown away, the epoch is raised, the book is loaded from the database. A start
is the same way, and so is a takeover; a standby has done all of it beforehand that can be done. Whoever was in doubt while
somebody else took the lead stands by from then on.
What must never happen here: a heartbeat for a shard that somebody else leads, or two leaders taking it from each other in turn.
"""

from __future__ import annotations

import gc
import os
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event, Thread

import psycopg2
import redis
import structlog
from django.conf import settings
from django.db import Error as DjangoDatabaseError
from django.db import close_old_connections, connections
from redis.exceptions import RedisError

from trading import selectors
from trading.runner import faults, leadership, metrics, store
from trading.runner.ahead import Ahead
from trading.runner.leadership import Doubt, Fenced
from trading.runner.process import Reigning

log = structlog.get_logger(__name__)

DOUBT_S = 0.2
# A server that is gone without a word is noticed in seconds, not in the two hours of TCP's own patience.
CONNECT = {
    "connect_timeout": 3, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000,
}  # fmt: skip


def _now() -> datetime:
    return datetime.now(UTC)


class ShardProcess:
    """One shard's engine, from `run` to SIGTERM (`stop`)."""

    def __init__(self, *, shard: int, client: redis.Redis, clock: Callable[[], datetime] = _now) -> None:
        if faults.armed() and getattr(settings, "PRODUCTION", False):
            raise RuntimeError(f"{faults.VARIABLE} is for tests; production does not start with it")
        self.shard = shard
        self.clock = clock
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._client = client
        self._stopping = Event()
        self._alive_until = 0.0  # monotonic; the heartbeat goes on until then and no longer
        self._label = str(shard)
        self._heart = leadership.Heart(
            client, shard, self.name, heartbeat_ms=getattr(settings, "ENGINE_HEARTBEAT_MS", leadership.HEARTBEAT_MS)
        )
        self._epoch: int | None = None  # of our last reign, as long as we do not know that another came after it
        self._fenced = False
        self._spare: psycopg2.extensions.connection | None = None
        self._ahead: Ahead | None = None  # has the spare one until it is done

    @property
    def leading(self) -> bool:
        return self._alive_until > time.monotonic()

    def stop(self) -> None:
        """End after the batch under way."""
        self._stopping.set()

    def run(self, *, takeover: bool = False) -> None:
        """Lead whenever nobody else does, until `stop`."""
        Thread(target=self._beat, name="heartbeat", daemon=True).start()
        while not self._stopping.is_set():
            try:
                if not takeover and self._epoch is None:
                    self._warm_up()
                    if not self._heart.wait_for_a_vacancy(stopping=self._stopping.is_set, silent=self._silent):
                        return
                self._lead()
                takeover = False
            except Fenced as error:
                log.warning("engine fenced", shard=self.shard, reason=str(error))
                metrics.REBUILDS.labels(self._label, "fenced").inc()
                takeover, self._epoch = False, None
            except (Doubt, DjangoDatabaseError, psycopg2.OperationalError, psycopg2.InterfaceError) as error:
                log.warning("engine in doubt, loading again", shard=self.shard, reason=str(error))
                metrics.REBUILDS.labels(self._label, "doubt").inc()
                self._stopping.wait(DOUBT_S)
            except (RedisError, OSError) as error:
                log.warning("engine waits for Valkey", shard=self.shard, reason=str(error))
                metrics.REBUILDS.labels(self._label, "valkey").inc()
                self._stopping.wait(DOUBT_S)
            finally:
                self._alive_until = 0.0
                metrics.LEADING.labels(self._label).set(0)

    def took(self, epoch: int) -> None:
        """The lead is ours: from here on our heart beats, also while the book is loaded."""
        self._epoch = epoch
        self._heart.claim(epoch)
        self._fenced, self._alive_until = False, time.monotonic() + 60.0

    def left(self) -> None:
        """The lead is given up."""
        self._alive_until, self._epoch = 0.0, None
        self._heart.leave()

    def alive(self) -> None:
        """The loop came round: the heart may beat on for a while. Raises Fenced where another's beats by now."""
        if self._fenced:
            raise Fenced("another leader's heart beats")
        self._alive_until = time.monotonic() + 5.0

    def _lead(self) -> None:
        self._client.ping()  # without Valkey there is nothing to lead, and no reason to raise the epoch
        close_old_connections()
        _forget_the_last_book()
        ahead, self._ahead = self._ahead, None
        connection = self._connection()
        try:
            reigning = Reigning(self, connection, ahead=ahead)
            _spare_the_collector()
            reigning.until_stopped()
        finally:
            connection.close()

    def _warm_up(self) -> None:
        """What a standby can do before it is needed: connect, and have everything imported that a reign begins with."""
        _forget_the_last_book()
        try:
            selectors.markets()
            self._spare = self._spare or self._connect()
        except (DjangoDatabaseError, psycopg2.Error) as error:
            log.warning("standby without a database", shard=self.shard, reason=str(error))
        log.info("engine stands by", shard=self.shard)

    def _silent(self, missed: bool) -> bool:
        """Have the book loaded as soon as the leader's heart is silent, and not before; True where it is, or cannot be."""
        if not missed:
            if self._ahead is not None and self._ahead.done:
                self._ahead = None
                gc.collect()  # a book is a ring of orders
            return True
        if self._ahead is None and self._spare is not None and not self._spare.closed:
            self._ahead = Ahead(self._spare, shard=self.shard)
        return self._ahead is None or self._ahead.done

    def _connect(self) -> psycopg2.extensions.connection:
        connection = psycopg2.connect(**{**CONNECT, **connections["default"].get_connection_params()})
        with connection.cursor() as cursor:
            cursor.execute(store.SESSION)
        connection.commit()
        return connection

    def _connection(self) -> psycopg2.extensions.connection:
        """The spare one, if it outlived the wait."""
        spare, self._spare = self._spare, None
        if spare is not None:
            try:
                with spare.cursor() as cursor:
                    cursor.execute("SELECT 1")
                spare.commit()
            except psycopg2.Error:
                spare.close()
            else:
                return spare
        return self._connect()

    def _beat(self) -> None:
        while not self._stopping.wait(self._heart.heartbeat_ms / leadership.BEATS / 1_000):
            epoch = self._epoch
            if epoch is not None and self.leading:
                try:
                    if not self._heart.beat(epoch) and epoch == self._epoch:
                        self._fenced = True
                except (RedisError, OSError) as error:
                    log.warning("heartbeat not heard", shard=self.shard, error=str(error))


def _forget_the_last_book() -> None:
    """A book thrown away is a ring of orders that only the collector frees, and it does not look at what it is spared."""
    if gc.get_freeze_count():
        gc.unfreeze()
        gc.collect()


def _spare_the_collector() -> None:
    """A book is a million objects that live long, and whoever leaves it is freed at once, for nothing in it points to him
    any more; looking for garbage there takes a fifth of the engine's time. What was loaded is left out, until the next load."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
