"""`make crash` for coins: SIGKILL of the real processes at every boundary of deposit, sweep and withdrawal, on real nodes.

The whole exchange runs (web, engine, worker, signer, beat, PostgreSQL, Valkey, bitcoind, litecoind, anvil) while blocks are mined
and customers deposit and withdraw four assets. At each named point the process that passes there dies; whoever keeps the
processes starts it again. A point that was never hit fails the run. At the end everything must have come to its end: each
deposit credited once, each withdrawal paid once on its chain and to the base unit, nothing reserved, nothing held, and what the
nodes hold at our addresses is what the books say.

What must never happen here: a check that reads the exchange's word where a chain can be asked.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

from custody import faults
from deploy.journey import books
from deploy.journey.person import JourneyError
from deploy.journey.stage import Stage
from deploy.setup import places
from tests.simulation.rig.coins import Customers, Miner, Traffic, outcome, tamper

_BOTH = ("before_commit", "after_commit")
POINTS = (
    *(f"deposit.{step}.{when}" for step in ("record", "credit", "reverse") for when in _BOTH),
    *(f"withdrawal.{step}.{when}" for step in ("request", "confirm") for when in _BOTH),
    *(
        f"payout.{step}.{when}"
        for step in ("reserve", "sign", "keep", "broadcast", "mined", "settle")
        for when in _BOTH
    ),
    "payout.broadcast.before_send",
    "payout.broadcast.after_send",
    *(f"{step}.plan.{when}" for step in ("gas", "sweep") for when in _BOTH),
    *(f"signer.{step}" for step in ("before_reserve", "after_reserve", "before_answer", "after_answer")),
)
# A later passage than the first meets the other networks and kinds of transactions, too.
PASSAGES_MAX = 4
SELDOM = ("gas", "sweep", "deposit.reverse")
STRIKE_S = 120.0
TRAFFIC_EVERY_S = 4.0
DRAIN_S = 300.0


class Strikes:
    """Orders to die, given one at a time, and the record of who took them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def order(self, point: str, passage: int) -> None:
        fresh = self.folder / "fresh"
        fresh.write_text(f"{point}:{passage}")
        fresh.replace(self.folder / faults.ORDER)

    def waits(self) -> bool:
        return (self.folder / faults.ORDER).exists()

    def withdraw(self) -> None:
        (self.folder / faults.ORDER).unlink(missing_ok=True)

    def struck(self) -> Counter[str]:
        return self._counted(faults.STRUCK)

    def passed(self) -> Counter[str]:
        return self._counted(faults.PASSED)

    def _counted(self, name: str) -> Counter[str]:
        try:
            lines = (self.folder / name).read_text().splitlines()
        except FileNotFoundError:
            return Counter()
        return Counter(line.split()[0] for line in lines if line)


def strike(point: str, *, strikes: Strikes, traffic: Traffic, rng: random.Random) -> None:
    """One process dies at `point`, while traffic that leads there goes on. Raises JourneyError when nobody passes."""
    before = strikes.struck()[point]
    strikes.order(point, 1 if point.startswith(SELDOM) else rng.randint(1, PASSAGES_MAX))
    deadline = time.monotonic() + STRIKE_S
    while strikes.struck()[point] == before:
        if time.monotonic() > deadline:
            strikes.withdraw()
            raise JourneyError(f"{point} was not passed in {STRIKE_S:.0f} s; passed so far: {dict(strikes.passed())}")
        traffic.towards(point)
        pause = time.monotonic() + TRAFFIC_EVERY_S
        while strikes.waits() and time.monotonic() < pause:
            time.sleep(0.05)
        time.sleep(0.05)  # the order is taken a moment before the record of it is written


def play(*, state: Path, rounds: int, seed: int, points: tuple[str, ...], control: bool = False) -> dict[str, int]:
    """The whole run. Returns the figures; raises JourneyError."""
    rng = random.Random(seed)
    started = time.monotonic()
    # Beside the stage's folder, which is emptied at its start; everything the stage starts inherits the variable.
    strikes = Strikes(state.with_name(f"{state.name}-strikes"))
    for name in (faults.ORDER, faults.PASSED, faults.STRUCK):
        (strikes.folder / name).unlink(missing_ok=True)
    os.environ[faults.VARIABLE] = str(strikes.folder)
    os.environ.setdefault("WALLETS_BATCH_SECONDS", "2")
    # Who withdraws here is known by his session and his e-mail; second factors have tests of their own.
    os.environ.setdefault("SECOND_FACTOR_REQUIRED", "0")

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:7.1f} s    {text}", flush=True)

    with Stage(state=state, say=say) as stage:
        customers = Customers(stage, rng)
        with Miner(stage) as miner:
            customers.arrive(miner)
            traffic = Traffic(stage, customers, miner, rng)
            for number in range(rounds):
                for point in rng.sample(points, len(points)):
                    strike(point, strikes=strikes, traffic=traffic, rng=rng)
                    say(f"round {number + 1}/{rounds}  kill -9 at {point}")
            figures = outcome(stage, customers, traffic, seconds=DRAIN_S)
            books.check(stage)
            if control:
                see_that_it_bites(stage, customers, traffic)
    hits = strikes.struck()
    print(f"\n  {'point':40} {'passed':>7} {'killed':>7}")
    passed = strikes.passed()
    for point in points:
        print(f"  {point:40} {passed[point]:>7} {hits[point]:>7}")
    missed = [point for point in points if not hits[point]]
    if missed:
        raise JourneyError(f"never hit: {', '.join(missed)}")
    return {"coin_kills": sum(hits.values()), **figures}


def see_that_it_bites(stage: Stage, customers: Customers, traffic: Traffic) -> None:
    """The control: a payment made twice and a deposit lost must both be named. Raises JourneyError where they are not."""
    marks = tamper(stage, traffic)
    try:
        outcome(stage, customers, traffic, seconds=DRAIN_S)
    except JourneyError as found:
        missed = [mark for mark in marks if mark not in str(found)]
    else:
        missed = list(marks)
    if missed:
        raise JourneyError(f"the count does not see what was tampered with: {missed}")
    stage.say("control: a second payment and a lost deposit, made by hand, are both named")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation.coins", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=3, help="kills at each point")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED") or time.time_ns() % 10**6))
    parser.add_argument(
        "--points", nargs="*", default=POINTS, metavar="POINT", help="only these (a beginning of a name will do)"
    )
    parser.add_argument(
        "--state", type=Path, default=places.ROOT / "var" / "crash-coins", help="where its data lies (made anew)"
    )
    parser.add_argument(
        "--control", action="store_true", help="tamper with two rows at the end, and see that it is noticed"
    )
    given = parser.parse_args()
    points = tuple(point for point in POINTS if point.startswith(tuple(given.points)))
    print(
        f"SIGKILL of the exchange's processes: {given.rounds} at each of {len(points)} points (seed {given.seed})",
        flush=True,
    )
    try:
        figures = play(
            state=given.state.resolve(), rounds=given.rounds, seed=given.seed, points=points, control=given.control
        )
    except JourneyError as error:
        print(f"\nFailed: {error}\nLogs: {given.state / 'log'}; again: --seed {given.seed}", file=sys.stderr)
        return 1
    print(json.dumps({"bench": "crash-coins", "figures": figures}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
