"""Seeded runs of the core in a process of its own: `python -m tests.properties.core_run SEEDS`, compiled where it was compiled.

Prints what it ran on, and a digest of every event and of the state after every command. Each run goes side by side with the naive
exchange, too, with undo, batches and loading between the commands, so that a compiled core is held against that as well.
"""

from __future__ import annotations

import hashlib
import json
import sys
from importlib import import_module

from trading import compiled

STEPS = 150


def digest(seed: int) -> str:
    """Of one run: what the core said to each command, and how it then stood."""
    runs, grammars = import_module("tests.properties.runs"), import_module("tests.properties.orders_grammar")
    matching, rules = import_module("trading.engine.matching"), import_module("trading.engine.rules")
    source = grammars.Seeded(seed)
    grammar = grammars.Grammar(source)
    pair = runs.begin(grammar)
    alone, said = matching.Engine(shard=pair.shard, **pair.limits), hashlib.sha256()
    for market in pair.markets:
        alone.add_market(market, rules.MarketState.OPEN)
    for step in range(STEPS):
        command = grammar.command(pair.naive.state)
        pair.do(command)
        runs.between_commands(pair, source)
        mark = alone.mark()
        events = alone.apply(command)
        if step % 7 == 0:  # once back and forth
            alone.undo(mark)
            events = alone.apply(command)
        if step % 20 == 0:
            alone.settle()
        said.update(f"{command!r} {events!r} {alone.state_hash()}\n".encode())
    pair.finish()
    return said.hexdigest()


def main() -> None:
    compiled.use()
    matching = import_module("trading.engine.matching")
    digests = [digest(seed) for seed in range(int(sys.argv[1]))]
    print(json.dumps({"compiled": not matching.__file__.endswith(".py"), "digests": digests}))


if __name__ == "__main__":
    main()
