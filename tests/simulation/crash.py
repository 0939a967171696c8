"""`make crash ROUNDS=N`: SIGKILL of the real engine and of PostgreSQL under load, N times each, and nothing acknowledged is lost.

Two shards trade the same customers. Each engine round kills a leader at a named point, or at random, and its standby goes on;
each PostgreSQL round kills the leader's session or the postmaster, at a named point (the engine stops itself there meanwhile) or
at random. A recorder keeps every reply and every fill it heard; afterwards all of it must be in the tables as it was told, once,
the ledger must verify, and a replay of the stored commands must give the same books. A point that was never hit fails the run.

Then the control: the same with `synchronous_commit = off` must report losses, or this test could not see any. What is
acknowledged there waits for its disk as long as PostgreSQL can be made to wait, so that a slow machine loses something, too.
CRASH_ASYNC_COMMIT=1 runs everything that way.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import redis

from tests.simulation.rig import house, postgres

if TYPE_CHECKING:
    from tests.simulation.rig.books import Findings
    from tests.simulation.rig.engines import EngineProcess


USERS = range(1, 41)
AMOUNTS = {1: 10**11, 2: 10**12, 3: 10**22, 4: 10**14}
SHARDS = {1: 0, 3: 0, 2: 1, 4: 1}
PER_S = 400
CHECK_EACH = 25
KINDS_LEAST = 8
CONTROL_ROUNDS = 8  # at most; it ends with the first loss
TOLD_LEAST = 50
HIT_S = 120.0
RECOVER_S = 120.0
RANDOM = "at_random"
TARGETS = ("session", "postmaster")


@dataclass(slots=True)
class Options:
    rounds: int
    control_rounds: int
    seed: int
    control: bool
    async_commit: bool
    plain: bool


class Crash:
    """One run on a database of its own: engines, load, a recorder, and what was hit."""

    def __init__(self, name: str, options: Options) -> None:
        from tests.simulation.rig.engines import Engines
        from tests.simulation.rig.orders import Pitch, Traders
        from tests.simulation.rig.recorder import Recorder

        self.rng = random.Random(options.seed)
        self.hits: Counter[tuple[str, str]] = Counter()
        self.down_s: dict[str, list[float]] = {}
        url = os.environ["REDIS_URL"]
        client = redis.Redis.from_url(url)
        client.flushdb()
        if options.async_commit:
            house.owner(f"ALTER DATABASE {name} SET synchronous_commit = off")
        house.spread(SHARDS)
        house.fund(USERS, AMOUNTS)
        self.engines = Engines(Path(os.environ["BOURSE_STATE"]) / "crash" / name, client)
        self.recorder = Recorder(url, users=USERS)
        pitches = [Pitch(1, 0, 2_000_000), Pitch(3, 0, 8_000), Pitch(2, 1, 150_000), Pitch(4, 1, 5_000)]
        self.traders = Traders(self.recorder, users=USERS, pitches=pitches, seed=options.seed, plain=options.plain)
        self.kinds = (*_points(), RANDOM)

    def start(self) -> None:
        self.leaders = {shard: self.engines.start("--takeover", shard=shard, faulty=True) for shard in (0, 1)}
        for leader in self.leaders.values():
            self.engines.wait_until_leading(leader)

    def kill_engines(self, rounds: int) -> None:
        """Each round a leader dies, and its standby, warm since the last round, goes on."""
        standbys = {shard: self.engines.start(shard=shard, faulty=True) for shard in self.leaders}
        for number in range(rounds):
            kind, shard, _ = self._draw(number)
            killed, survivor = self._kill_a_leader(kind, self.leaders[shard], standbys[shard])
            self.hits["engine", kind] += 1
            self._wait_for_word(shard, killed, "engine")
            self.leaders[shard], standbys[shard] = survivor, self.engines.start(shard=shard, faulty=True)
            self._say(f"engine {number + 1}/{rounds} {kind}")
            if number % CHECK_EACH == CHECK_EACH - 1:
                self._check_on_the_way()
        for standby in standbys.values():
            standby.send(signal.SIGKILL)
            standby.process.wait()

    def _kill_a_leader(self, kind: str, one: EngineProcess, other: EngineProcess) -> tuple[float, EngineProcess]:
        """Whichever of the two leads: on a busy machine a standby may have taken the place of a leader that was kept waiting,
        and may do so while the leader has its order to die. When it died, and who lives."""
        until = time.monotonic() + HIT_S
        while True:
            leader = next((each for each in (one, other) if self.engines.leads(each)), None)
            if leader is None:
                assert time.monotonic() < until, f"nobody leads shard {one.shard}"
                time.sleep(0.01)
                continue
            standby = other if leader is one else one
            self.engines.wait_until_standing_by(standby)
            if kind == RANDOM:
                time.sleep(self.rng.uniform(0.05, 0.4))
                killed = time.monotonic()
                leader.send(signal.SIGKILL)
                self._wait_dead(leader, kind)
                return killed, standby
            leader.arm(kind, signal.SIGKILL)
            self._wait_for(
                lambda by=standby, dies=leader: not dies.alive() or self.engines.leads(by), f"{kind} is never passed"
            )
            leader.disarm()
            if leader.hits():  # it has taken the order
                self._wait_dead(leader, kind)
                return leader.hits()[-1].at, standby

    def kill_postgres(self, rounds: int) -> None:
        """Each round PostgreSQL dies under engines that live on, stopped at a point while it does."""
        for number in range(rounds):
            kind, shard, target = self._draw(number)
            until = time.monotonic() + HIT_S
            while (killed := self._strike_postgres(kind, shard, target)) is None:
                if time.monotonic() > until:
                    raise SystemExit(f"shard {shard} has no session to kill")
            postgres.bring_back()
            self.hits["PostgreSQL", kind] += 1
            self.hits["PostgreSQL", target] += 1
            self._wait_for_word(shard, killed, target)
            self._say(f"PostgreSQL {number + 1}/{rounds} {target} {kind}")
            if number % CHECK_EACH == CHECK_EACH - 1:
                self._check_on_the_way()

    def lose_something(self, rounds: int) -> Findings:
        """PostgreSQL dies while acknowledged commands have not reached its disk, until the tables lack some of them. Then it ends
        at once: what was lost with them, a leader's epoch perhaps, makes an unsafe database no place to go on in."""
        from tests.simulation.rig import books

        for number in range(rounds):
            told = self.recorder.answered
            self._wait_for(lambda told=told: self.recorder.answered > told + TOLD_LEAST, "nothing is answered")
            killed = self._strike_postgres(RANDOM, number % 2, "postmaster")
            postgres.bring_back()
            findings = books.against_the_tables(self.recorder, os.environ["DATABASE_URL"])
            if findings.lost:
                break
            self._wait_for_word(number % 2, killed or 0.0, "postmaster")
        return findings

    def _strike_postgres(self, kind: str, shard: int, target: str) -> float | None:
        """When it was killed; None where the leader had no session just then."""
        leader = self.leaders[shard]
        if kind == RANDOM:
            time.sleep(self.rng.uniform(0.05, 0.4))
        else:
            struck = len(leader.hits())
            leader.arm(kind, signal.SIGSTOP)
            self._wait_for(lambda: len(leader.hits()) > struck, f"{kind} is never passed")
            leader.wait_until_stopped()
        killed: float | None = time.monotonic()
        if target == "postmaster":
            postgres.kill_postmaster()
        elif not postgres.kill_session(shard):
            killed = None
        leader.send(signal.SIGCONT)
        return killed

    def _draw(self, number: int) -> tuple[str, int, str]:
        """A point, a shard and a target for the round: each point meets both of either in turn."""
        turn = number // len(self.kinds)
        return self.kinds[number % len(self.kinds)], (number + turn) % 2, TARGETS[(number // 2 + turn) % 2]

    def finish(self, *, replay: bool = True) -> Findings:
        """After the load: every command gets its answer, and all that was told is held against what is stored."""
        from tests.simulation.rig import books

        self.recorder.wait_for_all(RECOVER_S)
        self.engines.end()
        findings = books.against_the_tables(self.recorder, os.environ["DATABASE_URL"])
        if self.recorder.unanswered:
            findings.disagreements.append(f"{self.recorder.unanswered} commands were never answered")
        books.verify(findings, shards=sorted(set(SHARDS.values())), replay=replay)
        self.recorder.close()
        return findings

    def _check_on_the_way(self) -> None:
        from tests.simulation.rig import books

        findings = books.against_the_tables(self.recorder, os.environ["DATABASE_URL"])
        if findings:
            raise SystemExit(f"after {dict(self.hits)}:\n{findings}")

    def _wait_dead(self, leader: EngineProcess, kind: str) -> None:
        self._wait_for(lambda: leader.process.poll() is not None, f"{kind} is never passed")
        assert leader.process.returncode == -signal.SIGKILL, leader.log[-2_000:]

    def _wait_for_word(self, shard: int, since: float, what: str) -> None:
        """Until the shard answers again: the time without it, from the kill to the first reply to a command sent after it."""
        first: list[float] = []

        def heard() -> bool:
            told, sent = self.recorder.told.replies, self.recorder.sent_at
            for uuid in reversed(list(told)):
                if told[uuid][0].at <= since:
                    break
                if self.recorder.shard_of[uuid] == shard and sent[uuid] > since:
                    first.append(told[uuid][0].at)
            return bool(first)

        assert self.recorder.wait(heard, RECOVER_S), f"shard {shard} does not answer again after {what}"
        self.down_s.setdefault(what, []).append(min(first) - since)

    def _wait_for(self, moment: Callable[[], bool], complaint: str) -> None:
        until = time.monotonic() + HIT_S
        while not moment():
            if time.monotonic() > until:
                raise SystemExit(complaint)
            time.sleep(0.002)

    def _say(self, text: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _points() -> tuple[str, ...]:
    from trading.runner import faults

    return faults.POINTS


def run(options: Options) -> tuple[Findings, Crash]:
    """A whole run on a new database."""
    from tests.simulation.rig.load import Load

    crash = Crash("crash_control" if options.control else "crash", options)
    with crash.engines:
        crash.start()
        with Load(crash.recorder, crash.traders, per_s=PER_S):
            if options.control:
                return crash.lose_something(options.rounds), crash
            crash.kill_engines(options.rounds)
            crash.kill_postgres(options.rounds)
        return crash.finish(replay=not options.async_commit), crash


def report(crash: Crash, findings: Findings, seconds: float, *, brief: bool) -> None:
    recorder = crash.recorder
    print(f"  {'commands answered':32} {recorder.answered}")
    print(f"  {'fills told':32} {len(recorder.told.fills)}")
    undone = Counter(code for engine in crash.engines.started for code in engine.codes())
    print(f"  {'two shards: deadlocks':32} {undone['40P01']}, lock timeouts {undone['55P03']}")
    for (what, kind), count in sorted(crash.hits.items()):
        print(f"  {f'{what}: {kind}':32} {count}")
    for what, times in crash.down_s.items():
        in_order = sorted(times)
        middle, most = in_order[len(in_order) // 2], in_order[-1]
        print(f"  {f'{what}: s to the next answer':32} median {middle:.2f}, most {most:.2f}")
    print(f"  {'found':32} {findings.summary() if brief else findings}")
    print(f"  {'seconds':32} {seconds:.0f}", flush=True)


def control(options: Options) -> int:
    """How much was lost with synchronous_commit off, in a process of its own, for it has a database of its own."""
    print("The control, with synchronous_commit off and a slow WAL writer: this must lose something", flush=True)
    command = [sys.executable, "-m", "tests.simulation.crash", "--control", "--rounds", str(options.control_rounds)]
    done = subprocess.run(
        [*command, "--seed", str(options.seed)], cwd=house.ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    print(done.stdout, end="")
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            return int(json.loads(line)["figures"]["lost"])
    raise SystemExit("the control did not come to its end")


def main() -> None:
    options = _options()
    started = time.monotonic()
    house.prepare("crash_control" if options.control else "crash", durable=True)
    if not options.control:
        print(
            f"SIGKILL under load: {options.rounds} of the engine, {options.rounds} of PostgreSQL (seed {options.seed})",
            flush=True,
        )
    postgres.make_recovery_quick()
    if options.control:
        postgres.make_losses_certain()
    findings, crash = run(options)
    report(crash, findings, time.monotonic() - started, brief=options.control)
    killed = () if options.control else ("engine", "PostgreSQL")
    missed = [f"{what} {kind}" for what in killed for kind in crash.kinds if not crash.hits[what, kind]]
    if missed:
        print(f"never hit: {', '.join(missed)}")
    figures = {
        "engine_kills": sum(n for (what, _), n in crash.hits.items() if what == "engine"),
        "postgres_kills": sum(crash.hits["PostgreSQL", target] for target in TARGETS),
        "answered": crash.recorder.answered, "lost": findings.lost, "doubled": len(findings.doubled),
    }  # fmt: skip
    failed = bool(findings or missed)
    if not options.async_commit and options.control_rounds:
        figures["control_lost"] = control(options)
        if not figures["control_lost"]:
            print("nothing was lost with synchronous_commit off: this test sees no losses, and proves nothing")
            failed = True
    print(json.dumps({"bench": "crash", "figures": figures}))
    sys.exit(1 if failed else 0)


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="make crash", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS") or 100), help="kills of each")
    parser.add_argument("--control-rounds", type=int, default=CONTROL_ROUNDS)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED") or time.time_ns() % 10**6))
    parser.add_argument("--control", action="store_true", help="the control alone: what an unsafe database loses")
    parser.add_argument("--plain", action="store_true", help="limit and market orders and cancels alone")
    given = parser.parse_args()
    if given.rounds < KINDS_LEAST and not given.control:
        parser.error(f"at least {KINDS_LEAST} rounds: each point is to be hit")
    return Options(
        rounds=given.rounds, control_rounds=given.control_rounds, seed=given.seed, plain=given.plain,
        control=given.control, async_commit=given.control or os.environ.get("CRASH_ASYNC_COMMIT") == "1",
    )  # fmt: skip


if __name__ == "__main__":
    main()
