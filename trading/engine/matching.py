"""The matching engine: one command in, its events out. This is the door; the rooms behind it do one thing each.

`Engine.apply` is deterministic: the same commands give the same events and the same `state_hash`. What it did can be taken
back (`mark`, `undo`) until it is made final (`settle`), one command, a batch, or the newer of two batches that overlap.
What must never happen here: a clock, randomness, an exception half-way through a command.
"""

from __future__ import annotations

from typing import final

from trading.engine import amending, closing, governing, hashing, placing, timers
from trading.engine.commands import (
    Amend,
    Cancel,
    CancelAll,
    Command,
    Countdown,
    OpenMarket,
    Place,
    PlaceOco,
    SetFees,
    SetMarket,
    SetMarketState,
    Tick,
)  # fmt: skip
from trading.engine.events import Event
from trading.engine.rules import HALTED, OPEN
from trading.engine.state import FILLED, SHARDS_MAX, State

__all__ = ["FILLED", "SHARDS_MAX", "Engine"]


@final
class Engine(State):
    """One shard's markets. A refused command leaves no trace."""

    def apply(self, command: Command) -> list[Event]:
        """Do one command. Only CancelAll of nothing has no events; the first event tells what came of the command."""
        self.begin(command.at)
        if isinstance(command, Place):
            return placing.place(self, command)
        if isinstance(command, Cancel):
            return closing.cancel(self, command)
        if isinstance(command, Amend):
            return amending.amend(self, command)
        if isinstance(command, PlaceOco):
            return placing.place_oco(self, command)
        if isinstance(command, CancelAll):
            return closing.cancel_all(self, command)
        if isinstance(command, Tick):
            return closing.tick(self, command)
        if isinstance(command, Countdown):
            return closing.set_countdown(self, command)
        return self._govern(command)

    def _govern(self, command: OpenMarket | SetMarket | SetMarketState | SetFees) -> list[Event]:
        if isinstance(command, SetFees):
            return governing.set_fees(self, command)
        if isinstance(command, SetMarketState):
            return governing.set_market_state(self, command)
        if isinstance(command, SetMarket):
            return governing.set_market(self, command)
        return governing.open_market(self, command)

    def due(self) -> int | None:
        """When the next tick has something to do, in microseconds since 1970, as far as timers tell; None where never."""
        first = self.countdowns.first(self, set())
        times = [] if first is None else [first[0]]
        for book in self.books.values():
            if book.state is not HALTED:
                order = timers.first_to_expire(self, book)
                if order is not None:
                    times.append(order.terms.expires_at)
        return min(times, default=None)

    def has_waiting(self) -> bool:
        """Whether triggered orders wait for a tick, in a market where they may run."""
        return any(book.waiting and book.state is OPEN for book in self.books.values())

    def state_hash(self) -> str:
        """SHA-256 over everything that can change what a later command does. The same state has the same hash."""
        return hashing.state_hash(self)
