"""`make journey`: plays the main job once and exits 0 when everything a customer saw, and every book, was right."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from config.regtest import NodeError
from deploy.demo import marked
from deploy.journey import books
from deploy.journey.faults import Killer
from deploy.journey.person import JourneyError
from deploy.journey.stage import Stage
from deploy.journey.story import Story
from deploy.setup import places
from deploy.setup.failures import SetupError


def play(*, state: Path, seed: int | None, lose_valkey: bool, kill_nodes: bool) -> None:
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:7.1f} s    {text}", flush=True)

    stage = Stage(state=state, say=say, kill_nodes=kill_nodes)
    with stage:
        say(f"the exchange runs at {stage.site}: " + ", ".join(f"{name} {stage.pid(name)}" for name in stage.commands))
        killer = Killer(stage, seed=seed) if seed is not None else None
        story = Story(stage)
        for number, (title, step) in enumerate(story.steps(), start=1):
            print(f"\n{number:>2}  {title}", flush=True)
            step()
            if number == 1 and killer:
                killer.start()
            if title == story.LOSE_VALKEY_AFTER and lose_valkey:
                say(f"Valkey (process {stage.lose_valkey()}) killed, all its data thrown away")
        if killer:
            killer.end()
            say(f"kills: {dict(killer.hits)}")
            story.everybody_owns_what_they_should()
        print("\nThe ledger's transfers", flush=True)
        books.transfers(stage)
        print("\nThe books, recomputed, beside the nodes", flush=True)
        books.check(stage)
    if left := marked.processes(stage.mark):
        raise JourneyError(f"processes left behind: {left}")
    print(f"\nThe journey went well, in {time.monotonic() - started:.0f} s.", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.journey", description=__doc__)
    parser.add_argument(
        "--kills", type=int, metavar="SEED", help="kill -9 a process every few seconds, drawn from this seed"
    )
    parser.add_argument("--lose-valkey", action="store_true", help="throw all of Valkey's data away half-way")
    parser.add_argument(
        "--kill-nodes", action="store_true", help="kill -9 the chain nodes while payouts wait in their mempools"
    )
    parser.add_argument(
        "--state", type=Path, default=places.ROOT / "var" / "journey", help="where its data lies (made anew)"
    )
    arguments = parser.parse_args()
    try:
        play(
            state=arguments.state.resolve(),
            seed=arguments.kills,
            lose_valkey=arguments.lose_valkey,
            kill_nodes=arguments.kill_nodes,
        )
    except (JourneyError, SetupError, NodeError) as error:
        print(f"\nThe journey failed: {error}\nLogs: {arguments.state / 'log'}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
