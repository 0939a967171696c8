"""How many commands a second the pure core does, with its events and every check, beside other Python matching engines.

Ten thousand orders rest; then half of the commands add an order, four tenths cancel one, a tenth sweep the best prices. All
engines get the very same commands, each in a process of its own, and each is held against the fills of a plain reference that
made the sequence: who traded with whom, at what price, how much. An engine that does not agree is shown and not counted.
What an engine answers is looked at between batches, off the clock; the clock is the processor's own time of that process.
What must never happen here: a figure of ours with a check off, or of a peer that was made to do more than it must.

Run by `make bench-matching`; BENCH_COMMANDS sets the size, BENCH_ROUNDS how often (the best round counts, of everybody).
"""

from __future__ import annotations

import gc
import heapq
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Any

from benchmarks.peers import ADAPTERS, ADD, CANCEL, SWEEP
from deploy.setup import apart, bench_peers
from trading import compiled

COMMANDS = int(os.environ.get("BENCH_COMMANDS", "200000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
RESTING = 10_000
LEVELS = 1_000  # prices a side
TOUCH = 100_000
MAKERS, TAKERS = range(1, 1_001), range(1_001, 2_001)
BATCH = 1_000
SEED = 20_261_120
TARGET = 1_000_000


class Reference:
    """A book as one would write it in an hour: it makes the sequence, and says what a right engine does with it."""

    def __init__(self) -> None:
        self.levels: dict[tuple[bool, int], deque[int]] = {}
        self.heaps: dict[bool, list[int]] = {True: [], False: []}
        self.open: dict[int, list[Any]] = {}  # number: [buying, price, lots left]

    def add(self, number: int, buying: bool, price: int, lots: int) -> None:
        if (buying, price) not in self.levels:
            self.levels[buying, price] = deque()
            heapq.heappush(self.heaps[buying], -price if buying else price)
        self.levels[buying, price].append(number)
        self.open[number] = [buying, price, lots]

    def cancel(self, number: int) -> None:
        buying, price, _ = self.open.pop(number)
        self.levels[buying, price].remove(number)

    def sweep(self, taker: int, buying: bool, lots: int) -> list[tuple[int, int, int, int]]:
        heap, fills = self.heaps[not buying], []
        while lots:
            price = abs(heap[0])
            queue = self.levels[not buying, price]
            if not queue:
                heapq.heappop(heap)
                del self.levels[not buying, price]
                continue
            maker = queue[0]
            part = min(lots, self.open[maker][2])
            fills.append((taker, maker, price, part))
            lots -= part
            self.open[maker][2] -= part
            if not self.open[maker][2]:
                del self.open[maker]
                queue.popleft()
        return fills


def sequence(count: int) -> dict[str, Any]:
    """Resting orders, commands, and the fills they must give. A command is [kind, number, buying, price, lots]."""
    rng, book, number = random.Random(SEED), Reference(), 0
    names: list[int] = []  # of orders that may still be open

    def drawn(number: int) -> list[Any]:
        buying = rng.random() < 0.5
        price = TOUCH - rng.randint(1, LEVELS) if buying else TOUCH + rng.randint(1, LEVELS)
        lots = rng.randint(1, 20)
        book.add(number, buying, price, lots)
        names.append(number)
        return [ADD, number, buying, price, lots]

    resting = [drawn(number) for number in range(RESTING)]
    number, commands, fills = RESTING, [], []
    while len(commands) < count:
        draw = rng.random()
        if draw < 0.5:
            commands.append(drawn(number))
            number += 1
        elif draw < 0.9:
            while True:
                place = rng.randrange(len(names))
                names[place], names[-1] = names[-1], names[place]
                if (gone := names.pop()) in book.open:
                    break
            book.cancel(gone)
            commands.append([CANCEL, gone, False, 0, 0])
        else:
            buying, lots = rng.random() < 0.5, rng.randint(1, 20)
            fills += [(len(commands), fill) for fill in book.sweep(number, buying, lots)]
            commands.append([SWEEP, number, buying, 0, lots])
            number += 1
    sides = [sum(lots for side, _, lots in book.open.values() if side is buying) for buying in (True, False)]
    return {
        "resting": resting,
        "commands": commands,
        "fills": fills,
        "numbers": number,
        "left": [sorted(book.open), *sides],
    }


def ours(given: dict[str, Any]) -> dict[str, Any]:
    """Our core on the sequence, in this process: every rule of the market on, events kept, each batch settled."""
    from trading.engine import matching
    from trading.engine.commands import PLAIN, Cancel, Place
    from trading.engine.events import Refused, Traded
    from trading.engine.rules import BUY, GTC, IOC, LIMIT, MARKET, OPEN, SELL, Market

    engine = matching.Engine(shard=0)
    rules = Market(
        id=1, base_asset_id=1, quote_asset_id=4, lot_base_units=10_000, tick_quote_units=1, maker_fee_ppm=1_000,
        taker_fee_ppm=2_000, min_notional=1_000, band_ppm=500_000, slippage_ppm=100_000, max_open_orders=10_000,
    )  # fmt: skip
    engine.add_market(rules, OPEN)
    owners: dict[int, int] = {}
    rng = random.Random(SEED)

    def made(command: list[Any], at: int) -> Any:
        kind, number, buying, price, lots = command
        if kind == CANCEL:
            return Cancel(owners[number], (number + 1) * matching.SHARDS_MAX, None, at)
        user = owners[number] = rng.choice(MAKERS if kind == ADD else TAKERS)
        side = BUY if buying else SELL
        if kind == ADD:
            return Place(1, user, side, LIMIT, GTC, price, lots, 0, 2 * user, 2 * user + 1, f"c{number}", PLAIN, at)
        return Place(1, user, side, MARKET, IOC, 0, lots, 0, 2 * user, 2 * user + 1, None, PLAIN, at)

    commands = [made(command, at) for at, command in enumerate(given["resting"] + given["commands"])]
    for command in commands[:RESTING]:
        engine.apply(command)
    engine.settle()
    commands = commands[RESTING:]
    fills, told, refused, seconds = [], 0, 0, 0.0
    gc.collect()
    gc.freeze()
    gc.disable()
    for place in range(0, len(commands), BATCH):
        batch, apply = commands[place : place + BATCH], engine.apply
        started = time.process_time()
        answers = [apply(command) for command in batch]
        engine.settle()
        seconds += time.process_time() - started
        for event in [event for answer in answers for event in answer]:
            told += 1
            refused += type(event) is Refused
            if type(event) is Traded:
                taker, maker = event.taker_order_id // matching.SHARDS_MAX, event.maker_order_id // matching.SHARDS_MAX
                fills.append([taker - 1, maker - 1, event.price, event.lots])
    if refused:
        raise SystemExit(f"{refused} commands were refused")
    return {
        "commands": len(commands),
        "seconds": seconds,
        "agrees": fills == [list(fill) for _, fill in given["fills"]],
        "by": f"{len(fills)} fills",
        "compiled": compiled.used(),
        "events": told,
    }


def run(command: list[str | Path], **environment: str) -> dict[str, Any] | None:
    """The best of all rounds; None where the engine is not there."""
    best: dict[str, Any] | None = None
    for _ in range(ROUNDS):
        done = subprocess.run(
            [str(word) for word in command], check=False, capture_output=True, text=True,
            env={**os.environ, **environment},
        )  # fmt: skip
        if done.returncode:
            print(f"    {' '.join(map(str, command[-2:-1]))}: {done.stderr.strip().splitlines()[-1:]}")
            return best
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        if best is None or found["seconds"] / found["commands"] < best["seconds"] / best["commands"]:
            best = found
        if found["seconds"] > 1.0:
            break  # slow enough to be measured well in one round
    return best


def rate(found: dict[str, Any]) -> int:
    return round(found["commands"] / found["seconds"])


def line(name: str, found: dict[str, Any]) -> None:
    verdict = {True: "agrees", False: "DISAGREES", None: "does not match"}[found["agrees"]]
    print(f"  {name:30} {rate(found):>12,} {found['commands']:>10,}   {verdict}: {found['by']}")


def main() -> None:
    if len(sys.argv) == 3 and sys.argv[1] == "--ours":
        compiled.use()
        print(json.dumps(ours(json.loads(Path(sys.argv[2]).read_text()))))
        return
    given = sequence(COMMANDS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sequence.json"
        path.write_text(json.dumps(given))
        print(f"  {RESTING:,} resting orders, {len(given['fills']) / COMMANDS:.3f} fills a command")
        print(f"  {'engine':30} {'commands/s':>12} {'commands':>10}")
        own = [sys.executable, "-m", "benchmarks.matching", "--ours", path]
        source = run(own, **{compiled.VARIABLE: "0"})
        machine = run(own) if (compiled.folder() / compiled.COMPLETE).exists() else None
        if source is None or not source["agrees"] or (machine is not None and not machine["agrees"]):
            raise SystemExit("our own fills are not the reference's")
        line("ours, from its source", source)
        if machine is not None:
            line("ours, compiled", machine)
        else:
            print("  (not compiled here: `make compile` says why)")
        best = machine or source
        python = apart.python(bench_peers.NAME)
        found = {
            name: answer
            for name in ADAPTERS
            if python.exists() and (answer := run([python, "benchmarks/peers.py", name, path]))
        }
    for name, answer in sorted(found.items(), key=lambda item: -rate(item[1])):
        line(name, answer)
    print(
        f"  events {best['events']:,}; on: price band, least notional, slippage cap, most open orders, client order ids,"
    )
    print("  self-trade prevention, fees of both sides, undo log, one settle each 1,000 commands")
    faster = [name for name, answer in found.items() if answer["agrees"] and rate(answer) > rate(best)]
    ahead = [name for name in faster if found[name]["tells_fills"]]
    if rate(best) < TARGET:
        print(f"below the target: {rate(best):,} < {TARGET:,}")
    for name in faster:
        print(f"faster than we are: {name}{'' if name in ahead else ', which tells nobody what it filled'}")
    figures = {
        "commands_per_s": rate(best),
        "commands_per_s_from_source": rate(source),
        "peers_ahead_of_us": len(ahead),
        "peers": {name: rate(answer) for name, answer in found.items()},
        "peers_ahead_that_tell_no_fills": len(faster) - len(ahead),
    }
    print(json.dumps({"bench": "matching", "figures": figures}))


if __name__ == "__main__":
    main()
