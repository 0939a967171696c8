"""One batch locks so many accounts and no more; what it leaves waits for the next."""

from __future__ import annotations

import pytest

from trading.engine import batching
from trading.engine.commands import PLAIN, Place
from trading.engine.events import Queued, Ratcheted
from trading.engine.funds import Standing, accounts_of
from trading.engine.matching import Engine
from trading.engine.rules import GTC, LIMIT, OPEN, SELL, Market


def place(user: int) -> Place:
    return Place(1, user, SELL, LIMIT, GTC, 100, 1, 0, 10 * user + 1, 10 * user + 2, None, PLAIN, user)


def test_a_batch_ends_before_it_locks_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "ACCOUNTS_PER_BATCH_MAX", 3)
    engine = Engine(shard=0)
    engine.add_market(
        Market(
            id=1, base_asset_id=1, quote_asset_id=4, lot_base_units=1, tick_quote_units=1, maker_fee_ppm=0, taker_fee_ppm=0
        ),
        OPEN,
    )  # fmt: skip
    commands = [place(user) for user in range(1, 9)]

    def lock(accounts: object) -> dict[int, Standing]:
        return {account: Standing(100, 0, False) for account in accounts}  # type: ignore[attr-defined]

    assert len(batching.match(engine, commands, lock).events) == 3
    # Accounts that an earlier round asked for never keep a batch from its first command.
    assert len(batching.match(engine, commands[3:], lock, also=range(50)).events) == 1


def test_who_gives_nothing_back_is_not_locked() -> None:
    """A price that moves a thousand trailing stops need not lock a thousand customers."""
    assert accounts_of([Ratcheted(1, 7, 100, 0), Queued(1, 8)]) == set()
    assert accounts_of([Ratcheted(1, 7, 100, 5)]) == {7}
