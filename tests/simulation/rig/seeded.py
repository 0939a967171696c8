"""One seeded run of the whole engine on real PostgreSQL and Valkey, with a fault every few steps.

Commands of every order type and of the staff come in bursts, late, twice, or never; time goes on, and leaps. At each named point
the process may die, its session may be ended, Valkey may be emptied, or somebody else may take the lead; the answer to a COMMIT
may be lost, before or after it was done. After each step the naive exchange does what was stored and must agree.
The same seed gives the same run: nothing here draws from anywhere else, and each step waits until the threads are at rest.
What must never happen here: a finding that depends on how fast the machine is.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import psycopg2
import redis

from exchange.ledger.services import freezes
from tests.properties.orders_grammar import USERS, Grammar, Seeded
from tests.simulation.rig import house
from tests.simulation.rig.encoding import encode
from tests.simulation.rig.mirror import Mirror
from trading import wire
from trading.models import Market
from trading.runner import faults, intake, leadership, release, store
from trading.runner.leadership import Doubt, Fenced
from trading.runner.process import Reigning
from trading.runner.shard import ShardProcess

PROCESS, STAFF = "simulated", 99
REST_S = 120.0
IDLE_MS = 5
CRASH, TERMINATE, EMPTY, USURP, OVERTAKE = "crash", "terminate", "empty", "usurp", "overtake"
LOST_BEFORE, LOST_AFTER = "lost_before", "lost_after"
AT_POINTS = (CRASH, TERMINATE, EMPTY, USURP)
ON_RELEASE = (faults.BEFORE_RELEASE, faults.INSIDE_RELEASE, faults.AFTER_RELEASE)
FAULTS = [(point, action) for point in faults.POINTS for action in AT_POINTS] + [
    (faults.BEFORE_COMMIT, LOST_BEFORE), (faults.BEFORE_COMMIT, LOST_AFTER),
    (faults.BEFORE_BATCH, OVERTAKE), (faults.INSIDE_TRANSACTION, OVERTAKE), (faults.BEFORE_RELEASE, OVERTAKE),
]  # fmt: skip
AMENDS = (psycopg2.OperationalError, psycopg2.InterfaceError, Doubt, Fenced)


class Crash(BaseException):
    """The process dies here. No `except Exception` may save it."""


class Cursor(psycopg2.extensions.cursor):
    """What a batch's statements are said with. Its end may go wrong in the two ways that nobody can tell apart."""

    def execute(self, query: Any, values: Any = None) -> None:
        session = self.connection
        fate = session.fate if isinstance(query, str) and query.endswith("COMMIT") else None
        if fate != LOST_BEFORE:
            super().execute(query, values)
        if fate is not None:
            session.fate = None
            session.hits[faults.BEFORE_COMMIT, fate] += 1
            session.close()
            raise psycopg2.OperationalError("simulated: the connection was lost in COMMIT")


class Session(psycopg2.extensions.connection):
    """A database session whose next COMMIT may have a fate."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.fate: str | None = None
        self.hits: Counter[tuple[str, str]] = Counter()
        self.cursor_factory = Cursor


class Run:
    """Seed in, nothing out; `step` raises AssertionError where something is not as it must be."""

    def __init__(self, seed: int, *, client: redis.Redis, engine_url: str) -> None:
        self.rng = random.Random(seed)
        self.client = client
        self.engine_url = engine_url
        self.now = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
        self.grammar = Grammar(Seeded(seed))
        self.mirror = Mirror(users=USERS)
        self.process = ShardProcess(shard=0, client=client, clock=lambda: self.now)
        self.batch_max = self.rng.choice((4, 8, 1_000))  # small ones overlap: one is matched while one is committed
        self.reign: Reigning | None = None
        self.session: Session | None = None
        self.armed: tuple[str, str] | None = None
        self.passages = 0
        self.usurped = False
        self.overtaken_at: int | None = None  # the shard's sequence when the present leader's epoch was over
        self.dead = threading.Event()
        self.hits: Counter[tuple[str, str]] = Counter()
        self.happened: Counter[str] = Counter()
        self.sent: list[bytes] = []
        self.ours: set[str] = set()  # their UUIDs
        self.late: list[bytes] = []
        self.told: dict[str, set[tuple[str, int | None]]] = {}
        self.updates: dict[str, int] = {}
        self.append = client.register_script(wire.APPEND)
        self.ears = client.pubsub(ignore_subscribe_messages=True)
        self.ears.psubscribe("md:*", *(f"user:{user}" for user in USERS))
        self.ears.subscribe(wire.replies(PROCESS))

    # --- Faults -----------------------------------------------------------------------------------------------------

    def point(self, name: str) -> None:
        """What `faults.point` is in this run; on whatever thread the engine passes it."""
        if self.armed is None or self.armed[0] != name:
            return
        self.passages -= 1
        if self.passages > 0:
            return
        point, action = self.armed
        self.armed = None
        if threading.current_thread().name != "courier" and self.reign is not None:
            self.reign._batcher._courier.send(lambda: None).exception()  # what is under way comes first, always
        if action not in (LOST_BEFORE, LOST_AFTER):  # these two are counted where they strike
            self.hits[point, action] += 1
        if action == CRASH:
            self.dead.set()
            raise Crash(name)
        self._strike(action)

    def _strike(self, action: str) -> None:
        assert self.session is not None
        if action == TERMINATE:
            self._administer("SELECT pg_terminate_backend(%s, 60000)", self.session.info.backend_pid)
        elif action == EMPTY:
            self.client.flushdb()
        elif action == USURP:
            self._usurp()
        elif action == OVERTAKE:  # as USURP, but nobody finds the old session to end it: the epoch alone must do
            self.overtaken_at = self._administer(
                "UPDATE trading_shard SET epoch = epoch + 1 WHERE id = 0 RETURNING seq"
            )
        else:
            self.session.fate = action

    def _usurp(self) -> None:
        """Another process takes the lead, commits nothing, and is gone."""
        self.usurped = True
        connection = psycopg2.connect(self.engine_url)
        taken = leadership.take(connection, shard=0, name="usurper")
        leadership.Heart(self.client, 0, "usurper", heartbeat_ms=50).claim(taken.epoch)
        connection.close()

    def _administer(self, statement: str, *parameters: object) -> Any:
        """One statement in a session of its own; the one value that it gives."""
        connection = psycopg2.connect(self.engine_url)
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            (value,) = cursor.fetchone()
        connection.close()
        return value

    # --- Steps ------------------------------------------------------------------------------------------------------

    def step(self) -> None:
        if self.armed is None and self.rng.random() < 0.35:
            self.armed, self.passages = self.rng.choice(FAULTS), self.rng.choice((1, 1, 1, 2))
        self.now += timedelta(microseconds=self.rng.choice((20, 100, 900)))
        if self.rng.random() < 0.02:
            self.now += timedelta(seconds=self.rng.choice((1, 70)))
            self.happened["leaps of time"] += 1
        for _ in range(self.rng.choice((1, 1, 2, 4, 10, 20))):
            self._draw()
        self.work()

    def work(self) -> None:
        """Have the engine do what waits, through whatever happens meanwhile, and hold the outcome against the mirror."""
        try:
            if self.reign is None:
                self.lead()
            assert self.reign is not None
            self._wait_until_read()
            while self.reign._intake.gathered() or self.reign._something_is_due():
                self.reign.step()
            self.reign.quiet()
        except Crash:
            pass
        except AMENDS:
            self.process._epoch = None  # a new process, or one that stood by
            self.dead.set()
        if self.dead.is_set() or self.usurped:  # whoever comes to rest under another's lead hears the other's heart
            self.die()
        if self.overtaken_at is not None:
            seq = self._administer("SELECT seq FROM trading_shard WHERE id = 0")
            assert seq == self.overtaken_at, "a leader whose epoch is over has committed"
        self.listen()
        self.mirror.follow()
        self._live_through_the_outside()

    def lead(self) -> None:
        self.session = psycopg2.connect(self.engine_url, connection_factory=Session)
        self.session.hits = self.hits
        with self.session.cursor() as cursor:
            cursor.execute(store.SESSION)
        self.session.commit()
        self.process._fenced, self.overtaken_at, self.usurped = False, None, False
        self.reign = Reigning(self.process, self.session)
        self.reign._batch_max = self.batch_max

    def die(self) -> None:
        """As by SIGKILL: nothing more is said or written."""
        if self.reign is not None:
            self.reign._releaser._stopping.set()
            self.reign._releaser._queue.put(release.Told(None, None))  # it need not wait for its time to look
            self.reign.close(seconds=0.0)
        if self.session is not None:
            self.session.close()
        self.reign = self.session = None
        self.process._epoch = None
        self.dead.clear()
        self.happened["rebuilt"] += 1

    def _draw(self) -> None:
        """One more command: sent now, later, twice, or an old one again."""
        uuid = UUID(int=self.rng.getrandbits(128), version=4)
        self.grammar.now = now_us = round(self.now.timestamp() * 1_000_000)
        command = self.grammar.command(self.mirror.naive.state)
        body = encode(command, uuid=uuid, process=PROCESS, asked_at_ms=now_us // 1_000, staff=STAFF)
        if body is None:
            return
        if type(command).__name__ == "OpenMarket":
            insert_market(command.market, state=int(command.state))
        if self.rng.random() < 0.04:
            self.late.append(body)
            return
        self._send(body)
        if self.rng.random() < 0.05:
            self._send(self.rng.choice(self.sent))
            self.happened["sent again"] += 1
        if self.late and self.rng.random() < 0.1:
            self._send(self.late.pop(self.rng.randrange(len(self.late))))
            self.happened["sent late"] += 1

    def _send(self, body: bytes) -> None:
        self.sent.append(body)
        self.ours.add(orjson.loads(body)["id"])
        generation = str(UUID(int=self.rng.getrandbits(128), version=4))
        self.append(keys=[wire.stream(0), wire.generation(0)], args=[100_000, generation, body])

    def _live_through_the_outside(self) -> None:
        """What others do to the accounts meanwhile, and to the process between two batches."""
        draw = self.rng.random()
        if draw < 0.03:
            self.happened["emptied between batches"] += 1
            self.client.flushdb()
        elif draw < 0.06 and self.session is not None:
            self.happened["session ended between batches"] += 1
            self._strike(TERMINATE)
        elif draw < 0.08 or (draw > 0.6 and self.mirror.naive.state.frozen):
            self._freeze_or_free()
        elif draw < 0.12:
            user, asset, amount = self.rng.choice(USERS), self.rng.choice((1, 3, 4)), self.rng.randint(1, 2_000)
            house.fund([user], {asset: amount})
            self.mirror.deposited(self.mirror.pairs[user][asset], amount)
            self.happened["deposits"] += 1

    def _freeze_or_free(self) -> None:
        """One customer at most is frozen."""
        frozen = self.mirror.naive.state.frozen
        user = next((u for u, pair in self.mirror.pairs.items() if frozen & set(pair.values())), None)
        if user is None:
            user = self.rng.choice(USERS)
            freezes.freeze(owner_id=user, reason="simulated", actor=STAFF, now=self.now)
        else:
            freezes.unfreeze(owner_id=user, reason="simulated", actor=STAFF, now=self.now)
        self.mirror.naive.state.frozen = frozen ^ set(self.mirror.pairs[user].values())
        self.happened["freezes and their end"] += 1

    # --- Rest -------------------------------------------------------------------------------------------------------

    def _wait_until_read(self) -> None:
        """Everything in the stream stands ready: so a batch is the same whatever the threads' speed."""
        assert self.reign is not None
        until = time.monotonic() + REST_S
        while self.reign._intake.gathered() < self.client.xlen(wire.stream(0)) - self._consumed():
            if self.reign._intake._error is not None or self.dead.is_set():
                return
            assert time.monotonic() < until, "the engine does not read its stream"
            self.reign._intake.take(most=0, seconds=0.001)  # takes nothing, and has it look

    def _consumed(self) -> int:
        """Entries still in the stream though a batch committed them: told in part, or not at all, before a fault."""
        assert self.reign is not None
        position = self.reign._progress.position
        if (self.client.get(wire.generation(0)) or b"").decode() != position.generation:
            return 0
        return len(self.client.xrange(wire.stream(0), "-", position.id))

    # --- What was heard ---------------------------------------------------------------------------------------------

    def listen(self) -> None:
        while (message := self.ears.get_message(timeout=0.0)) is not None:
            channel, data = message["channel"].decode(), orjson.loads(message["data"])
            if channel == wire.replies(PROCESS):
                for reply in data:
                    self.told.setdefault(reply["id"], set()).add((reply["code"], reply["order_id"]))
            elif channel.startswith("md:") and "u" in data and not channel.endswith(":book"):
                self._update(data)

    def _update(self, data: dict[str, Any]) -> None:
        """Market data: each sequence once in its place; what comes again was had before."""
        symbol, last = data["market"], self.updates.get(data["market"], 0)
        if data["u"] > last:
            assert data["U"] == last + 1, f"{symbol}: {data['U']} follows {last}, a gap that nobody announced"
            self.updates[symbol] = data["u"]

    def finish(self) -> None:
        """No more faults: everything that waits is done and told, and all of it agrees."""
        self.armed = None
        for body in self.late:
            self._send(body)
        for _ in range(50):
            self.work()
            waiting = self.client.xlen(wire.stream(0)) - (self._consumed() if self.reign else 0)
            if self.reign is not None and not waiting and not self.reign._something_is_due():
                break
        assert self.reign is not None
        self._hear_the_rest()
        self.mirror.check()
        self._check_what_was_told()
        live = self.reign._engine.state_hash()
        self.die()
        self.lead()
        assert self.reign._engine.state_hash() == live, "a restart does not give the same book"
        self.die()

    def _hear_the_rest(self) -> None:
        until = time.monotonic() + REST_S
        while not self.mirror.verdicts.keys() & self.ours <= self.told.keys() and time.monotonic() < until:
            self.listen()
            time.sleep(0.001)

    def _check_what_was_told(self) -> None:
        verdicts = self.mirror.verdicts
        wrong = {uuid: codes for uuid, codes in self.told.items() if codes != {verdicts.get(uuid)}}
        wrong = {uuid: codes for uuid, codes in wrong.items() if {c for c, _ in codes} != {wire.DUPLICATE}}
        assert not wrong, f"told otherwise than stored: {wrong}"
        silent = [uuid for uuid in verdicts if uuid in self.ours and uuid not in self.told]
        assert not silent, f"done, and never told: {silent[:5]}"

    def close(self) -> None:
        if self.reign is not None or self.session is not None:
            self.die()
        self.ears.close()


def insert_market(rules: Any, *, state: int) -> None:
    """The row that staff makes before it asks the engine to open the market."""
    Market.objects.using("owner").get_or_create(
        id=rules.id,
        defaults={
            "symbol": f"SIM-{rules.id}", "shard_id": 0, "base_asset_id": rules.base_asset_id,
            "quote_asset_id": rules.quote_asset_id, "base_decimals": 8, "quote_decimals": 6, "price_decimals": 2,
            "quantity_decimals": 4, "lot_base_units": rules.lot_base_units, "tick_quote_units": rules.tick_quote_units,
            "maker_fee_ppm": rules.maker_fee_ppm, "taker_fee_ppm": rules.taker_fee_ppm,
            "min_notional": rules.min_notional, "band_ppm": rules.band_ppm, "slippage_ppm": rules.slippage_ppm,
            "max_open_orders": rules.max_open_orders, "state": state,
        },
    )  # fmt: skip


def settle_threads() -> None:
    """Make a run depend on its seed alone: a record is told before the engine goes on, and threads end when they are to.

    Releases are of single messages, so that a small batch's has an inside, too. A thread that dies of a Crash is no news, and
    the engine dies with it.
    """
    release.PAIRS_PER_CALL, intake.IDLE_MS = 1, IDLE_MS
    usual_hook, tell = threading.excepthook, release.Releaser.tell
    threading.excepthook = lambda args: None if args.exc_type is Crash else usual_hook(args)

    def tell_and_wait(self: release.Releaser, told: release.Told) -> None:
        tell(self, told)
        until = time.monotonic() + REST_S
        while not self.drained():
            if not self._thread.is_alive():
                raise Crash("the releasing thread")
            assert time.monotonic() < until, "what was committed is not told"
            time.sleep(0.0002)

    release.Releaser.tell = tell_and_wait  # type: ignore[method-assign]
