"""Claiming a batch's commands and locking the accounts that its match has touched: at once, or behind the batch in the air.

What must never happen here: a standing given out that no lock has proved, or is going to prove before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple

from django.db import connection as django_connection

from exchange.ledger import bulk
from trading.engine.funds import Standing
from trading.runner.courier import Courier
from trading.runner.expected import Expected, Otherwise
from trading.runner.markets import Markets
from trading.runner.store import NOTHING_TAKEN, Claims

Claimed = tuple[Claims, dict[int, bulk.Locked]]


class Taken(Exception):
    """Some of the commands were matched though they came before."""


class Session(NamedTuple):
    """What is the same for every batch."""

    courier: Courier
    markets: Markets
    expected: Expected


class Lock:
    """Claims a batch's commands, and when called locks what their match has touched.

    `behind` a batch in the air it only has them claimed and locked after that one, and gives what is expected there; whether
    it is so, and every command new, is seen before anything of this batch is written. Otherwise it waits for both, which may
    be said `at_once`, and raises Taken where the match rests on a claim that failed. Without `claim` that is done already.
    """

    def __init__(
        self, session: Session, cursor: Any, claim: Callable[..., Claimed] | None, *, behind: bool = False,
        at_once: bool = False, claims: Claims = NOTHING_TAKEN,
    ) -> None:  # fmt: skip
        self.standings: Mapping[int, Standing] = {}
        self.claims = claims
        self._session, self._cursor, self._claim, self._behind = session, cursor, claim, behind
        self._claimed = session.courier.send(claim) if claim is not None and not at_once else None

    def __call__(self, accounts: Collection[int]) -> Mapping[int, Standing]:
        wanted = {*accounts, *self._session.markets.house_accounts()} if accounts else set[int]()
        if self._behind:
            assert self._claimed is not None, "whatever flies behind another is claimed behind it"
            self.standings = self._session.expected.of(accounts)
            self._session.courier.send(_as_expected, self._cursor, self._claimed, wanted, self.standings)
        else:
            self.standings = _standings(self._locked(wanted))
            if self._claim is not None and any(self.claims):
                raise Taken
        return self.standings

    def _locked(self, wanted: Collection[int]) -> dict[int, bulk.Locked]:
        send = self._session.courier.send
        if self._claim is not None and self._claimed is None:
            self.claims, locked = send(self._claim, accounts=wanted).result()
            return locked
        locking = send(bulk.lock, self._cursor, wanted) if wanted else None
        if self._claimed is not None:
            self.claims = self._claimed.result()[0]
        return locking.result() if locking is not None else {}


def looked_up(accounts: Collection[int]) -> Mapping[int, Standing]:
    """On the connection beside the engine's own, which is busy with the batch before."""
    with django_connection.cursor() as cursor:
        return _standings(bulk.look(cursor, accounts))


def _as_expected(
    cursor: Any, claimed: Future[Claimed], wanted: Collection[int], expected: Mapping[int, Standing]
) -> None:
    """On the courier's thread, before the rows of a batch. Raises Otherwise."""
    if any(claimed.result()[0]):
        raise Otherwise("a command came a second time")
    found = _standings(bulk.lock(cursor, wanted)) if wanted else {}
    for account, standing in expected.items():
        if found[account] != standing:
            raise Otherwise(f"account {account} has changed")


def _standings(locked: Mapping[int, bulk.Locked]) -> dict[int, Standing]:
    return {id: Standing(row.balance, row.held, row.frozen) for id, row in locked.items()}
