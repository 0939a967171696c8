"""The comparison of engine and naive exchange notices every rule: with one rule changed on the naive side it must turn red.

Each line of MUTANTS is one small change of the naive exchange's source: a rounding the other way, a comparison off by one, a step
left out. A change that the seeded runs do not notice would mean a rule that nobody checks.

The engine's own source was broken in the same spirit when this was written, in 72 ways; a test that knows its lines would only be
in the way of those who tune it. What was broken, and what turned red:

| where                                                                      | ways | noticed by                      |
|----------------------------------------------------------------------------|------|---------------------------------|
| fills, fees, icebergs, self trade (taking.py)                              |   12 | seeded runs                     |
| what is refused, cancelled or amended (checks, finding, amending.py)       |    9 | seeded runs                     |
| triggers, trailing stops, caps, the queue, FOK (triggers.py, turns.py)     |   13 | seeded runs                     |
| undo of each kind of change (undo.py)                                      |    9 | seeded runs, going back         |
| expiry, countdowns, settling, loading, sweeping (closing, timers, state …) |   11 | seeded runs                     |
| who can pay, what is locked, what is left of a batch (funds, batching.py)  |    7 | seeded runs, batches cut        |
| the hash of state (hashing.py)                                             |   11 | test_engine_state_hash alone    |
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.properties.naive import NaiveExchange
from tests.properties.runs import is_noticed

NAIVE = Path(__file__).parent / "naive"
MODULES = (
    "events",
    "state",
    "checks",
    "matching",
    "amending",
    "timers",
    "triggers",
    "exchange",
)  # none imports a later one
RUNS_MAX = 100
# Roundings that a changed line may name.
WORDS = {
    "down": lambda millionths: millionths // 10**6,
    "away_from_zero": lambda n: (n + 10**6 - 1 if n > 0 else n) // 10**6,
}

MUTANTS = [
    # the changed rule: in which file, what stands there, what stands there instead
    ("a fee rounds down", "matching", "ceiling(gets * rate(", "down(gets * rate("),
    ("a rebate rounds away from zero", "matching", "ceiling(gets * rate(", "away_from_zero(gets * rate("),
    ("makers pay the taker's rate", "matching", "taking=order is taker)", "taking=True)"),
    ("the worse of two rates", "matching", "min(taker_ppm, own_taker)", "max(taker_ppm, own_taker)"),
    ("the newest first at a price", "checks", "-other.price, other.rank)", "-other.price, -other.rank)"),
    ("the worst price first", "checks",
     "order.side == BUY else -other.price, other",
     "order.side != BUY else -other.price, other"),
    ("an iceberg's next slice keeps its place", "matching", "maker.rank = state.take_number()", "pass"),
    ("an iceberg shows all", "matching", "min(wanted, maker.shown)", "min(wanted, maker.open_lots)"),
    ("a decrement sees a slice only", "matching", "lots = min(wanted, maker.open_lots)", "lots = min(wanted, maker.shown)"),
    ("oldest stops the newest, too", "matching", "if taker.self_trade == CANCEL_BOTH else", "if taker.self_trade else"),
    ("both leaves the newest", "matching", "if taker.self_trade == CANCEL_BOTH else", "if not taker.self_trade else"),
    ("FOK takes what there is", "matching", "if stopped != FILLED or", "if stopped == NOBODY or"),
    ("FOK takes a decremented size", "matching", "!= (order.lots, order.quote)", "== ()"),
    ("a partial fill leaves the pair", "matching", "unpair(state, maker)\n    fees", "(None, 0)\n    fees"),
    ("IOC rests", "matching", "order.time_in_force in (GTC, GTD):", "order.time_in_force:"),
    ("slippage called no liquidity", "matching", '"slippage", events', '"no_liquidity", events'),
    ("the fill limit is one more", "matching", "limits.fills == 0", "limits.fills < 0"),
    ("a self trade costs no step", "matching", "limits.fills -= taker.self_trade != CANCEL_NEWEST", "limits.fills -= 0"),
    ("a pair holds both legs", "state", " - self.worst_cost(self.orders[order.partner])", ""),
    ("the band's edge is outside", "checks", "> band * reference", ">= band * reference"),
    ("the least notional is too small", "checks", "worth < ", "worth <= "),
    ("a stop at its price waits", "checks", "price >= order.stop if", "price > order.stop if"),
    ("expired a moment later", "checks", "expires_at <= command.at", "expires_at < command.at"),
    ("one order fewer", "checks", "+ orders > most", "+ orders >= most"),
    ("a buy's cap rounds up", "checks", "return price * (PPM + slippage) // PPM", "return ceiling(price * (PPM + slippage))"),
    ("a sell's cap rounds down", "checks", "ceiling(price * (PPM - slippage))", "price * (PPM - slippage) // PPM"),
    ("a market order leaves the band", "checks", "if band and market.last:", "if False:"),
    ("a trailing stop on the price", "checks", "max(1, order.extreme *", "max(0, order.extreme *"),
    ("take-profits are stops", "checks", "return (order.side == BUY) == is_stop", "return order.side == BUY"),
    ("post-only state takes", "checks", "market.state == POST_ONLY and order.time_in_force", "False and order.time_in_force"),
    ("only the last price is looked at", "triggers", "(prices[0], prices[-1])", "(prices[-1],)"),
    ("the lowest of the falling first", "triggers", "(-o.stop, o.rank)", "(o.stop, o.rank)"),
    ("the newest of a stop first", "triggers", "(o.stop, o.rank))\n", "(o.stop, -o.rank))\n"),
    ("upward first from the first trade on", "triggers", "last != 0 and price > last", "price > last"),
    ("the last triggered runs first", "triggers", "market.queue.pop(0)", "market.queue.pop()"),
    ("a ratchet keeps the cap", "triggers", "order.cap = cap_around", "order.capped = cap_around"),
    ("a ratchet goes back", "triggers", "price <= order.extreme if", "False if"),
    ("no limit of triggers", "triggers", "limits.triggers -= 1", "limits.triggers -= 0"),
    ("the queue runs in any state", "triggers", "market.state == OPEN and", ""),
    ("the other leg lives on after the trigger", "triggers", "unpair(state, order)\n", "(None, 0)\n"),
    ("a triggered limit comes in its old place", "triggers", "TAKING, True, True", "TAKING, True, False"),
    ("an amended order keeps its place", "amending", "order.rank = state.take_number()", "pass"),
    ("a filled quantity is enough", "amending", "lots <= order.filled_lots", "lots < order.filled_lots"),
    ("smaller loses its place", "amending", "if lots < order.lots and", "if lots < 0 and"),
    ("a trailing stop is amended", "amending", " or order.kind == TRAILING_STOP", ""),
    ("expiry in a halted market", "timers", "not halted(state, order) and closed", "closed"),
    ("a halted market's orders are cancelled", "timers", "order.user != user or halted(state, order)", "order.user != user"),
    ("expiry without end", "timers", "closed(events) < closes_max:\n            close", "True:\n            close"),
    ("a countdown stays", "timers", "del state.countdowns[user]", "pass"),
    ("frozen accounts trade", "exchange", "order.pay_account in state.frozen", "False"),
    ("what an amend gives back is not counted", "exchange", "free += events[0].released", "free += 0"),
    ("the rest is not paid for", "exchange", " + state.hold(order), free)", ", free)"),
    ("a halted order is cancelled", "exchange", "self.state.markets[order.market].state == HALTED", "False"),
    ("a tick runs nothing", "exchange", "triggers.run_queue(self.state, market, limits, events)", "pass"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "there", "instead"), [m[1:] for m in MUTANTS], ids=[m[0] for m in MUTANTS])
def test_a_changed_rule_is_noticed(file: str, there: str, instead: str, mutant: Callable[..., type]) -> None:
    exchange = mutant(file, there, instead)
    noticed = (seed for seed in range(RUNS_MAX) if is_noticed(seed, exchange))
    if all(is_noticed(seed, NaiveExchange) for seed in noticed):  # the unchanged one must pass where this one did not
        pytest.fail(f"{RUNS_MAX} runs did not notice")


@pytest.fixture
def mutant(monkeypatch: pytest.MonkeyPatch) -> Callable[..., type]:
    """A second naive exchange, made of the same source with one place changed."""

    def make(file: str, there: str, instead: str) -> type[Any]:
        monkeypatch.setitem(sys.modules, "changed_naive", ModuleType("changed_naive"))
        for name in MODULES:
            source = (NAIVE / f"{name}.py").read_text()
            if name == file:
                assert source.count(there) == 1, f"{there!r} stands {source.count(there)} times in {file}.py"
                source = source.replace(there, instead)
            module = ModuleType(f"changed_naive.{name}")
            monkeypatch.setitem(sys.modules, module.__name__, module)
            setattr(sys.modules["changed_naive"], name, module)
            module.__dict__.update(WORDS)
            exec(  # noqa: S102  # our own source
                compile(source.replace("tests.properties.naive", "changed_naive"), f"{name}.py", "exec"),
                module.__dict__,
            )
        return sys.modules["changed_naive.exchange"].NaiveExchange

    return make
