"""One run out of a seed: customers, markets, commands, and what the process around the core does between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from tests.properties.naive import NaiveExchange
from tests.properties.orders_grammar import BTC, ETH, USDT, USERS, Grammar, Seeded, Source, account
from tests.properties.side_by_side import SideBySide
from trading.engine import batching, book, state, timers

STEPS = 120
AMPLE = {BTC: 30_000, ETH: 20_000, USDT: 600_000}


def seeded_run(seed: int) -> None:
    source = Seeded(seed)
    grammar = Grammar(source)
    with small_tables():
        pair = begin(grammar)
        for _ in range(STEPS):
            pair.do(grammar.command(pair.naive.state))
            between_commands(pair, source)
        pair.finish()


@contextmanager
def small_tables() -> Iterator[None]:
    """The engine sweeps what is stale, and ends a batch, after a few already (a compiled one keeps its own numbers)."""
    with ExitStack() as stack:
        for module in (book, timers, state):
            stack.enter_context(patch.object(module, "STALE_MAX", 2))
        stack.enter_context(patch.object(batching, "TRADES_PER_BATCH_MAX", 4))
        yield


def is_noticed(seed: int, exchange: type[NaiveExchange]) -> bool:
    """Whether a run of single commands shows this exchange to be another than the engine."""
    grammar = Grammar(Seeded(seed))
    pair = begin(grammar, exchange)
    try:
        for _ in range(STEPS):
            pair.do(grammar.command(pair.naive.state))
    except AssertionError:
        return True
    return False


def begin(grammar: Grammar, exchange: type[NaiveExchange] = NaiveExchange) -> SideBySide:
    """Three customers, tight or well off, sometimes a frozen account; limits so small that cascades run into them."""
    source = grammar.source
    grammar.scale = source.pick((1, 1, 1, 10**30))  # the last leaves 64 bits, as amounts with 18 decimals do
    tightness = source.pick((1, 2, 10))
    return SideBySide(
        exchange, shard=source.pick((0, 7, 1_023)),
        markets=[grammar.market(id) for id in source.pick(((1, 2), (1, 3), (1,)))],
        balances={
            account(user, asset): source.number(0, most) // tightness * grammar.scale
            for user in USERS for asset, most in AMPLE.items()
        },
        frozen={account(1, USDT)} if grammar.chance(7) else (), fills_max=source.pick((2, 4, 8, 1_000)),
        triggers_max=source.pick((1, 2, 100)), closes_max=source.pick((1, 2, 1_000)),
    )  # fmt: skip


def between_commands(pair: SideBySide, source: Source) -> None:
    """What the process around the core does, at any moment."""
    roll = source.number(1, 100)
    if roll <= 15:
        pair.end_batch(
            cut=source.number(0, len(pair.batch)),
            undone_first=source.number(0, 2) == 0,
            overlapped=source.number(0, 1) == 0,
        )
    elif roll <= 22:
        pair.go_back_and_repeat(source.number(1, 12))
    elif roll <= 26:
        pair.settle(source.number(0, 4))
    elif roll <= 29:
        pair.load_anew()
