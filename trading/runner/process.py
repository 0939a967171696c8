"""One reign over a shard: take what has gathered, commit it, tell it; and again, until it ends in doubt, fenced or in peace.

What must never happen here: a batch on a book that may not be the database's.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import orjson
import psycopg2
import structlog
from django.conf import settings
from django.db import Error as DjangoDatabaseError
from django.db import connection as django_connection

from exchange.core.ids import uuid7
from trading import compiled, wire
from trading.engine.batching import MoreAccountsNeeded
from trading.presentation import microseconds
from trading.runner import faults, leadership, loading, markets, metrics, store
from trading.runner.accounts import Directory
from trading.runner.ahead import Ahead
from trading.runner.batch import Batcher, Flight, NotLanded, Progress, Shorter
from trading.runner.expected import Otherwise
from trading.runner.intake import Intake, Taken
from trading.runner.leadership import Doubt, Fenced
from trading.runner.markets import Markets
from trading.runner.release import Releaser, Shown, Told
from trading.runner.stream import Position, Stream
from trading.wire import Malformed

if TYPE_CHECKING:
    from trading.runner.shard import ShardProcess

log = structlog.get_logger(__name__)

BATCH_MAX = 1_000
IDLE_S = 0.2
SNAPSHOT_S = 0.1
SNAPSHOT_LEVELS = 1_000
ROUNDS_MAX = 5
RETRY_S = 0.01
RETRY_S_MAX = 1.0
PARTITIONS_EACH = 1_000_000  # commands; a partition holds ten million
ENGINE_ERROR = "engine_error"
# PostgreSQL's classes of errors that go away by themselves: rollback, lock not had, no room, operator.
_PASSING = ("40", "55", "53", "57")


class _Air(NamedTuple):
    """What belongs to the batch in the air: its entries, the books as it leaves them where they are due, its beginning."""

    entries: Sequence[Taken]
    books: Sequence[Shown]
    started: float


class Reigning:
    """One reign: from taking the lead to losing it, to doubt, or to the end."""

    def __init__(
        self, process: ShardProcess, connection: psycopg2.extensions.connection, *, ahead: Ahead | None = None
    ) -> None:
        self._process = process
        self._connection = connection
        self._client = process._client
        shard = self._shard = process.shard
        started = time.perf_counter()
        reign = leadership.take(connection, shard=shard, name=process.name, after=process._epoch)
        process.took(reign.epoch)
        self._clock = process.clock
        self._markets = Markets(shard, clock=self._clock)
        self._make_partitions()
        self._partitions_at = reign.next_command + PARTITIONS_EACH
        loaded = ahead.take(seq=reign.seq) if ahead is not None else None
        self._engine = loaded if loaded is not None else loading.load(connection, shard=shard)
        connection.commit()
        stream = Stream(self._client, shard)
        position = stream.check(reign.position)
        self._progress = Progress(
            reign.epoch, reign.seq, reign.next_command, position, reign.market_sequences,
            {id: book.last_price for id, book in self._engine.books.items() if book.last_price}, 0,
        )  # fmt: skip
        self._batch_max = getattr(settings, "ENGINE_BATCH_MAX", BATCH_MAX)
        self._shown_at = 0.0
        self._stale: set[int] = set(self._engine.books)
        untold = self._untold(reign)
        # Last come those that have threads of their own: nothing that may fail stands between them and `close`.
        self._batcher = Batcher(
            connection, self._engine, markets=self._markets, directory=Directory(), landed=self._landed
        )
        self._air: _Air | None = None
        self._releaser = Releaser(
            self._client, shard=shard, epoch=reign.epoch, views=self._markets.views, published_seq=reign.published_seq
        )
        self._intake = Intake(stream, position, malformed=self._malformed)
        try:
            for record in untold:
                self._releaser.tell(Told(orjson.loads(record), None))
            if opening := self._openings():
                self._batch(opening)
                self._batcher.land()
            self._show_books()
        except BaseException:
            self.close(seconds=0.0)
            raise
        metrics.LEADING.labels(process._label).set(1)
        log.info(
            "engine leads", shard=shard, epoch=reign.epoch, seq=reign.seq, open_orders=len(self._engine.orders),
            seconds=round(time.perf_counter() - started, 3), backend=connection.info.backend_pid, compiled=compiled.used(),
            ahead=loaded is not None,
        )  # fmt: skip

    def until_stopped(self) -> None:
        """The loop."""
        try:
            while not self._process._stopping.is_set():
                self.step()
            self.quiet()
        finally:
            self.close(seconds=2.0 if self._process._stopping.is_set() else 0.0)
        self._leave()

    def step(self) -> None:
        """Commit what has gathered; where nothing has, wait for something.

        When it returns everything is committed, unless half a batch has gathered meanwhile: then the last one is in the air,
        and the next is matched while the database is busy with it.
        """
        self._process.alive()
        if not self._batcher.flying:
            self._show_books()
        entries = self._intake.take(most=self._batch_max, seconds=self._idle_s())
        if self._something_is_due():
            entries.insert(0, self._own(wire.encode_tick))
        if entries:
            faults.point(faults.BEFORE_BATCH)
            self._batch(entries)
        if self._intake.gathered() < self._batch_max // 2:
            self.quiet()

    def quiet(self) -> None:
        """Return when everything that was taken is committed."""
        while self._batcher.flying:
            try:
                self._batcher.land()
            except NotLanded as error:
                self._batch([], again=error)

    def close(self, *, seconds: float) -> None:
        """End the threads; what is committed and untold may take so long to be told."""
        self._intake.close()
        self._batcher.close()
        self._releaser.stop(seconds=seconds)

    # --- A batch ----------------------------------------------------------------------------------------------------

    def _batch(self, entries: Sequence[Taken], *, again: NotLanded | None = None) -> None:
        """Send these entries, in as many batches as it takes; the last of them stays in the air. `again`: first those of a
        batch that did not land."""
        todo, also, rounds, wait_s = list(entries), set[int](), 0, RETRY_S
        size, careful = len(todo), False
        while todo or again:
            if again is not None:
                part, self._progress, careful = self._not_landed(again), again.flight.before, True
                todo, also, rounds = [*part, *todo], set(), 0
                size, wait_s = self._after_abort(again.cause, part, wait_s)
                again = None
            part = todo[:size]
            try:
                self._send(part, also=also)
            except NotLanded as error:
                again = error
                continue
            except MoreAccountsNeeded as error:
                also |= error.accounts
                rounds += 1
                size = size if rounds < ROUNDS_MAX else 1
                metrics.RETRIES.labels(self._process._label, "accounts").inc()
                continue
            except Shorter as error:
                size = max(1, error.commands)
                continue
            except (Fenced, Doubt):
                raise
            except Exception as error:
                size, wait_s = self._after_abort(error, part, wait_s)
                careful = True
                continue
            todo, size = todo[len(part) :], max(1, len(todo) - len(part))
            rounds, also = 0, set()
            if careful:  # one at a time, until all that failed together is through
                try:
                    self._batcher.land()
                except NotLanded as error:
                    again = error

    def _not_landed(self, error: NotLanded) -> list[Taken]:
        """The entries of a batch that was rolled back, and its markets shown again as they were."""
        assert self._air is not None, "a batch in the air has its entries noted"
        self._stale.update(shown.view.id for shown in self._air.books)
        return list(self._air.entries)

    def _send(self, part: Sequence[Taken], *, also: set[int], forced: dict[int, str] | None = None) -> None:
        started = time.perf_counter()
        asked = [taken.asked for taken in part if taken.asked is not None]
        flight = self._batcher.send(
            asked, after=self._progress, position=part[-1].position, published_seq=self._releaser.published_seq,
            now=self._clock(), also=also, forced=forced,
        )  # fmt: skip
        self._progress = flight.committed.progress
        self._stale.update(flight.committed.markets)
        self._air = _Air(
            part, self._books_due(), started
        )  # the book is now what this batch made of it, and nothing more

    def _landed(self, flight: Flight) -> None:
        """It is committed: tell it."""
        assert self._air is not None, "a batch in the air has its entries noted"
        committed, label = flight.committed, self._process._label
        self._releaser.tell(Told(committed.record, committed.progress.position, self._air.books))
        metrics.BATCHES.labels(label).inc()
        metrics.BATCH_SECONDS.labels(label).observe(time.perf_counter() - self._air.started)
        metrics.TRADES.labels(label).inc(committed.trades)
        metrics.SEQ.labels(label).set(committed.progress.seq)
        metrics.OPEN_ORDERS.labels(label).set(len(self._engine.orders))
        for verdict, count in Counter(committed.verdicts).items():
            metrics.COMMANDS.labels(label, verdict).inc(count)
        if committed.progress.next_command >= self._partitions_at:
            self._make_partitions()
            self._partitions_at = committed.progress.next_command + PARTITIONS_EACH

    def _after_abort(self, error: Exception, part: Sequence[Taken], wait_s: float) -> tuple[int, float]:
        """Rolled back and undone. What passes is tried again; what does not is found by trying one by one, and refused:
        one command that nobody foresaw must not stop the market."""
        if isinstance(error, Otherwise):
            metrics.RETRIES.labels(self._process._label, "otherwise").inc()
            return len(part), RETRY_S
        code = (error.pgcode or "") if isinstance(error, psycopg2.Error) else type(error).__name__
        if self._connection.closed or not code or isinstance(error, DjangoDatabaseError):
            raise Doubt(str(error)) from error
        metrics.RETRIES.labels(self._process._label, code).inc()
        if code.startswith(_PASSING):
            log.warning("batch undone, trying again", shard=self._shard, code=code, error=str(error).strip())
            time.sleep(wait_s)
            return len(part), min(wait_s * 2, RETRY_S_MAX)
        if len(part) > 1:
            log.error("batch failed, going one by one", shard=self._shard, code=code, exc_info=error)
            return 1, RETRY_S
        log.error("command refused by force", shard=self._shard, code=code, body=part[0].body, exc_info=error)
        self._send(part, also=set(), forced={0: ENGINE_ERROR})
        self._batcher.land()
        raise Doubt("a command had to be refused by force") from error

    def _malformed(self, position: Position, error: Malformed) -> None:
        metrics.MALFORMED.labels(self._process._label).inc()
        log.error("malformed command", shard=self._shard, position=position.id, error=str(error))

    # --- The engine's own commands ----------------------------------------------------------------------------------

    def _own(self, encode: Callable[..., bytes], **fields: object) -> Taken:
        """A command that nobody sent: stored and done like any other, answered to nobody. It consumes nothing."""
        body = encode(uuid=uuid7(), process="", asked_at_ms=microseconds(self._clock()) // 1_000, user_id=0, **fields)
        return Taken(self._progress.position, body, wire.decode(body))

    def _openings(self) -> list[Taken]:
        """For each market that the engine has never taken up."""
        return [
            self._own(wire.encode_market_open, market=markets.rules(view), state=int(markets.state(view)))
            for view in self._markets.views.values()
            if view.id not in self._engine.books
        ]

    def _something_is_due(self) -> bool:
        """Whether an order or a switch has run out, or triggered orders wait for their turn."""
        if self._engine.has_waiting():
            return True
        due = self._engine.due()
        return due is not None and due <= microseconds(self._clock())

    # --- Around it --------------------------------------------------------------------------------------------------

    def _untold(self, reign: leadership.Reign) -> list[bytes]:
        """What was committed and perhaps never told; consumers drop what they have had."""
        with self._connection.cursor() as cursor:
            records = store.unpublished(cursor, shard=self._shard, after=reign.published_seq, up_to=reign.seq)
        self._connection.commit()
        return records

    def _show_books(self) -> None:
        """Write the snapshots of books that changed. Only while nothing is in the air."""
        if books := self._books_due():
            self._releaser.tell(Told(None, None, books))

    def _books_due(self) -> list[Shown]:
        """The books that changed, as they stand at our progress; at most each SNAPSHOT_S, otherwise none."""
        now = time.monotonic()
        if not self._stale or now - self._shown_at < SNAPSHOT_S:
            return []
        at_us = microseconds(self._clock())
        books = [
            Shown(
                self._markets.views[market_id],
                u=self._progress.market_sequences.get(market_id, 0),
                at_us=at_us,
                bids=self._engine.books[market_id].bids.depth(SNAPSHOT_LEVELS),
                asks=self._engine.books[market_id].asks.depth(SNAPSHOT_LEVELS),
            )
            for market_id in self._stale
        ]
        self._stale, self._shown_at = set(), now
        return books

    def _idle_s(self) -> float:
        """How long to wait for commands: until the next snapshot or the next tick is due, if one is."""
        if self._engine.has_waiting():
            return 0.0
        wait_s = IDLE_S
        if self._stale:
            wait_s = max(0.001, self._shown_at + SNAPSHOT_S - time.monotonic())
        due = self._engine.due()
        if due is not None:
            wait_s = min(wait_s, max(0.0, (due - microseconds(self._clock())) / 1e6))
        return wait_s

    def _make_partitions(self) -> None:
        with django_connection.cursor() as cursor:
            cursor.execute("SELECT trading_make_partitions()")

    def _leave(self) -> None:
        """A clean end: note what was told, and let a standby know at once."""
        with self._connection.cursor() as cursor:
            cursor.execute(
                "UPDATE trading_shard SET published_seq = %s, leader_pid = NULL, leader_backend_start = NULL "
                "WHERE id = %s AND epoch = %s",
                (self._releaser.published_seq, self._shard, self._progress.epoch),
            )
        self._connection.commit()
        self._process.left()
        log.info("engine ended", shard=self._shard, seq=self._progress.seq)
