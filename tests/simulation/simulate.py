"""`make simulate SEEDS=N`, or `make simulate SEED=k`: seeded runs of the whole engine, in parallel, each on an emptied database.

See rig/seeded.py for what a run is. A failing seed prints what went wrong and how to run it again; the others go on, and the end
is 1. Every fault at every point must have struck at least once where the seeds are many.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence

from config import embedded
from tests.simulation.rig import house

STEPS = 30
ENOUGH_SEEDS = 100  # for every fault to have struck
FAILURES_SHOWN = 5


def worker(number: int, seeds: Sequence[int]) -> None:
    """Run the seeds; a line of JSON each on standard output."""
    house.prepare(f"simulate_{number}", durable=False, valkey=f"valkey-simulate-{number}")
    import redis
    from django.conf import settings

    from tests.simulation.rig import seeded
    from tests.simulation.rig.wiping import Wiping

    seeded.settle_threads()
    client, wiping = redis.Redis.from_url(settings.REDIS_URL), Wiping()
    for seed in seeds:
        started = time.perf_counter()
        wiping.wipe()
        client.flushdb()
        told = {"seed": seed, **one(seed, client), "seconds": round(time.perf_counter() - started, 3)}
        print(json.dumps(told), flush=True)


def one(seed: int, client: object) -> dict[str, object]:
    """A whole run of one seed; what happened in it, and the failure if there was one."""
    from exchange.ledger import reconciliation
    from tests.simulation.rig import seeded
    from trading.runner import faults

    run = fresh(seed, client)
    usual, faults.point = faults.point, run.point
    failure = ""
    try:
        run.work()  # the markets are opened
        for _ in range(STEPS):
            run.step()
        run.finish()
        check_the_house(run)
        report = reconciliation.run(now=run.now)
        assert report.ok, report
    except (Exception, seeded.Crash):
        failure = traceback.format_exc()
    finally:
        faults.point = usual
        run.close()
    return {
        "failure": failure, "commands": len(run.mirror.verdicts), "trades": len(run.mirror.naive.state.trades),
        "hits": [[*key, count] for key, count in run.hits.items()], "happened": dict(run.happened), "seen": run.mirror.seen,
    }  # fmt: skip


def fresh(seed: int, client: object) -> object:
    """Customers with a little money, two or three markets not opened yet, and a run."""
    import random

    from tests.properties.orders_grammar import USERS, Grammar, Seeded
    from tests.simulation.rig import seeded
    from trading.engine.rules import MarketState

    rng, grammar = random.Random(seed), Grammar(Seeded(seed))
    for user in USERS:
        house.fund([user], {1: rng.randint(500, 9_000), 3: rng.randint(500, 9_000), 4: rng.randint(10_000, 150_000)})
    for market in (1, 2):
        seeded.insert_market(grammar.market(market), state=int(MarketState.OPEN))
    return seeded.Run(seed, client=client, engine_url=os.environ["ENGINE_DATABASE_URL"])


def check_the_house(run: object) -> None:
    """Every stored command, replayed by the engine itself, gives the stored book; fees and rebates are the naive exchange's."""
    import psycopg2

    from exchange.ledger import selectors as ledger
    from trading.runner import replay

    snapshot = psycopg2.connect(os.environ["DATABASE_URL"])
    snapshot.set_session(isolation_level="REPEATABLE READ", readonly=True)
    report = replay.replay(snapshot, shard=0)
    snapshot.close()
    assert report.same, f"the replay differs: {report.differences or (report.replayed_hash, report.loaded_hash)}"
    stored = {
        (total.asset_id, str(total.kind).removeprefix("house_")): total.balance
        for total in ledger.totals()
        if str(total.kind).startswith("house_") and total.balance
    }
    naive = {key: amount for key, amount in run.mirror.naive.state.house.items() if amount}
    assert stored == naive, f"the house has {stored}, the naive one {naive}"


def main() -> None:
    options = _options()
    seeds = [options.seed] if options.seed is not None else list(range(options.first, options.first + options.seeds))
    if options.worker is not None:
        return worker(options.worker, [seed for seed in seeds if seed % options.workers == options.worker])
    started = time.monotonic()
    results = run_workers(options, seeds)
    failed = [result for result in results if result["failure"]]
    hits: Counter[str] = Counter()
    happened: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for result in results:
        hits.update({f"{action} at {point}": count for point, action, count in result["hits"]})
        happened.update(result["happened"])
        seen.update(result["seen"])
    for title, counter in (("faults", hits), ("around them", happened), ("verdicts and events", seen)):
        print(title)
        for name, count in sorted(counter.items()):
            print(f"  {name:40} {count}")
    for result in failed[:FAILURES_SHOWN]:
        print(
            f"\nseed {result['seed']} failed:\n{result['failure']}\nRun it again: make simulate SEED={result['seed']}"
        )
    missing = never_hit(hits) if len(seeds) >= ENOUGH_SEEDS else []
    if missing:
        print(f"never hit: {', '.join(missing)}")
    seconds = time.monotonic() - started
    figures = {
        "seeds": len(results), "failed": len(failed), "commands": sum(result["commands"] for result in results),
        "trades": sum(result["trades"] for result in results), "faults": sum(hits.values()), "seconds": round(seconds),
    }  # fmt: skip
    print(json.dumps({"bench": "simulate", "figures": figures}))
    sys.exit(1 if failed or missing or len(results) != len(seeds) else 0)


def never_hit(hits: Counter[str]) -> list[str]:
    from tests.simulation.rig.seeded import FAULTS

    return [f"{action} at {point}" for point, action in FAULTS if not hits[f"{action} at {point}"]]


def run_workers(options: argparse.Namespace, seeds: Sequence[int]) -> list[dict]:
    """Their results as they come."""
    workers = min(options.workers, len(seeds))
    again = [sys.executable, "-m", "tests.simulation.simulate", "--workers", str(workers)]
    again += ["--seed", str(seeds[0])] if len(seeds) == 1 else ["--seeds", str(len(seeds)), "--first", str(seeds[0])]
    numbers = [seeds[0] % workers] if len(seeds) == 1 else range(workers)
    house.prepare("simulate", durable=False)  # the template, once, before they all want it
    noise = (embedded.state_folder() / "simulate.log").open("w")  # psycopg2 prints what a COPY died of by itself
    processes = [
        subprocess.Popen([*again, "--worker", str(n)], cwd=house.ROOT, stdout=subprocess.PIPE, stderr=noise, text=True)
        for n in numbers
    ]
    results: list[dict] = []
    lines = _merged(processes)
    for line in lines:
        results.append(json.loads(line))
        if sys.stderr.isatty():
            failed = sum(1 for result in results if result["failure"])
            print(f"\r\033[K{len(results)} of {len(seeds)} seeds, {failed} failed", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    return sorted(results, key=lambda result: result["seed"])


def _merged(processes: Sequence[subprocess.Popen]) -> object:
    from queue import SimpleQueue
    from threading import Thread

    lines: SimpleQueue = SimpleQueue()

    def read(process: subprocess.Popen) -> None:
        for line in process.stdout:
            lines.put(line)
        process.wait()
        lines.put(None)

    for process in processes:
        Thread(target=read, args=(process,), daemon=True).start()
    left = len(processes)
    while left:
        line = lines.get()
        if line is None:
            left -= 1
        elif line.startswith("{"):
            yield line


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make simulate", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=1_000, help="how many")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
