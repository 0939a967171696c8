"""A hundred thousand random operations a run through the engine's door, against the naive ledger, in batches of a thousand.

What the naive ledger does is posted in bulk; what it refuses is tried one by one, and the database must refuse it, too: no
Python of ours stands between these attempts and the CHECKs and triggers. BOURSE_SEED replays a run.
"""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction

from exchange.ledger import bulk, journal, reconciliation, verification
from exchange.ledger.journal import Entry, Transfer
from exchange.ledger.models import Account
from exchange.ledger.services import accounts
from tests.properties.naive_ledger import Account as NaiveAccount
from tests.properties.naive_ledger import NaiveLedger

OPERATIONS = 100_000
BATCH = 1_000
ASSETS = (1, 2, 4)
CUSTOMERS = 40
NOW = datetime(2026, 11, 20, tzinfo=UTC)
WRITERS = ("shard-0", "shard-1", "services")


class Run:
    """One seed's run: the naive ledger beside the real one, and what the next batch will post."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.naive = NaiveLedger()
        self.done = self.refused = self.number = 0
        for asset in ASSETS:
            for kind in ("chain_wallet", "house_fees", "house_capital"):
                self._open(kind, asset, None)
            for owner in range(1, CUSTOMERS + 1):
                self._open("customer", asset, owner)
        self.by_asset = {a: [n for n, row in self.naive.accounts.items() if row.asset == a] for a in ASSETS}
        self.clear()

    def _open(self, kind: str, asset: int, owner: int | None) -> None:
        account = accounts.open(kind=kind, asset_id=asset, owner_id=owner, now=NOW)
        self.naive.accounts[account] = NaiveAccount(kind, asset, owner)

    def clear(self) -> None:
        self.transfers: list[Transfer] = []
        self.held: dict[int, int] = {}
        self.bad: list[tuple[list[Transfer], dict[int, int]]] = []

    def operation(self) -> None:
        """One random request; to be posted if the naive ledger does it, to be tried by itself if it does not."""
        choice, asset = self.random.random(), self.random.choice(ASSETS)
        if choice < 0.7:
            self._pay(asset)
        elif choice < 0.98:
            self._hold(self.random.choice(self.by_asset[asset]), self.random.randint(-400, 400))
        else:
            self._crooked(asset)

    def _transfer(self, *lines: Entry) -> Transfer:
        self.number += 1
        return Transfer(UUID(int=self.number), "payment", lines, f"run:{self.number}")

    def _pay(self, asset: int) -> None:
        source, target, fees = self.random.sample(self.by_asset[asset], 3)
        if self.random.random() < 0.3:
            source = self.by_asset[asset][0]  # a deposit, so that there is money to go round
        amount = self.random.randint(2, 10 ** self.random.randint(1, 4))
        if target == source:
            return
        fee = self.random.randint(0, 1)
        lines = [Entry(source, -amount), Entry(target, amount - fee)] + ([Entry(fees, fee)] if fee else [])
        transfer = self._transfer(*lines)
        if self.naive.post((transfer.id, (transfer.kind, transfer.reference, transfer.entries))) is None:
            self.transfers.append(transfer)
        elif self.random.random() < 0.2:
            self.bad.append(([transfer], {}))

    def _hold(self, account: int, delta: int) -> None:
        row = self.naive.accounts[account]
        if row.could_be(row.balance, row.held + delta):
            row.held += delta
            self.held[account] = self.held.get(account, 0) + delta
        elif self.random.random() < 0.2:
            self.bad.append(([], {account: delta}))

    def _crooked(self, asset: int) -> None:
        source, target = self.random.sample(self.by_asset[asset], 2)
        other = self.random.choice([a for a in ASSETS if a != asset])
        crooked = self.random.choice(
            [
                (Entry(source, -5), Entry(target, 6)),
                (Entry(source, -5), Entry(self.by_asset[other][0], 5)),
                (Entry(source, 5), Entry(target, 5)),
                (Entry(self.by_asset[asset][0], -5), Entry(2**40, 5)),
            ]
        )
        self.bad.append(([self._transfer(*crooked)], {}))

    def post(self) -> None:
        """Post what was agreed; then have the database refuse what still must be refused."""
        with connection.cursor() as cursor:
            bulk.lock(cursor, journal.net(self.transfers).keys() | self.held.keys())
            writer = self.random.choice(WRITERS)
            bulk.post(cursor, writer=writer, transfers=self.transfers, held_deltas=self.held, now=NOW)
            for transfers, held in self.bad:
                if self._still_bad(transfers, held):
                    with pytest.raises(IntegrityError), transaction.atomic():
                        bulk.post(cursor, writer=writer, transfers=transfers, held_deltas=held, now=NOW)
                    self.refused += 1
        self.clear()

    def _still_bad(self, transfers: list[Transfer], held: dict[int, int]) -> bool:
        """Later operations of the batch may have made room for it."""
        for account, delta in held.items():
            row = self.naive.accounts[account]
            return not row.could_be(row.balance, row.held + delta)
        changes = journal.net(transfers)
        if changes.keys() - self.naive.accounts.keys() or sum(changes.values()):
            return True
        if len({self.naive.accounts[account].asset for account in changes}) > 1:
            return True
        rows = [(self.naive.accounts[account], change) for account, change in changes.items()]
        return not all(row.could_be(row.balance + change, row.held) for row, change in rows)

    def compare(self) -> None:
        found = {a.id: (a.balance, a.held) for a in Account.objects.filter(id__in=self.naive.accounts)}
        assert found == {id: (a.balance, a.held) for id, a in self.naive.accounts.items()}


@pytest.mark.django_db
def test_a_hundred_thousand_random_operations_end_in_the_naive_ledgers_book(monkeypatch):
    seed = int(os.environ.get("BOURSE_SEED", "20261120"))
    print(f"BOURSE_SEED={seed}")
    run = Run(seed)
    for _ in range(OPERATIONS // BATCH):
        for _ in range(BATCH):
            run.operation()
        run.done += BATCH
        run.post()
        run.compare()
    assert run.done == OPERATIONS
    assert len(run.naive.posted) > OPERATIONS / 2
    assert run.refused > 1_000
    held = [(id, a.held) for id, a in run.naive.accounts.items() if a.held]
    assert held
    monkeypatch.setitem(reconciliation._held_sources, "orders", lambda cursor: held)
    assert reconciliation.run(now=NOW).mismatches == ()
    result = verification.verify()
    assert result.finding is None
    assert result.transfers == len(run.naive.posted)
