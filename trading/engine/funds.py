"""What a batch does to the ledger's accounts, and whether the takers can pay for it.

Only an incoming order can fall short: what a resting order may cost is held since it rested. An incoming order is judged on
what it really takes: the fills it made at the makers' prices plus the hold of what rests.
What must never happen here: an account whose held amount leaves 0 ≤ held ≤ balance. `judge` refuses before it books.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from trading.engine.events import Accepted, Closed, Event, Rested, Traded
from trading.engine.rules import BUY

INSUFFICIENT_FUNDS = "insufficient_funds"
ACCOUNT_FROZEN = "account_frozen"


class Standing(NamedTuple):
    """An account as the ledger's locked row says."""

    balance: int
    held: int
    frozen: bool


class AccountNotLocked(LookupError):
    """The events touch an account outside the locked ones: the batch must end before this command."""


def accounts_of(events: Iterable[Event]) -> set[int]:
    """Every customer account that these events touch."""
    found: set[int] = set()
    gather_accounts(events, found)
    return found


def gather_accounts(events: Iterable[Event], found: set[int]) -> None:
    """Add to `found` every customer account that these events touch."""
    for event in events:
        kind = type(event)
        if kind is Traded:
            found.add(event.buyer_base_account)  # type: ignore[union-attr]
            found.add(event.buyer_quote_account)  # type: ignore[union-attr]
            found.add(event.seller_base_account)  # type: ignore[union-attr]
            found.add(event.seller_quote_account)  # type: ignore[union-attr]
        elif kind is Accepted or kind is Rested or kind is Closed:
            found.add(event.pay_account)  # type: ignore[union-attr]


class Funds:
    """The running balances of one batch over the rows that were locked for it."""

    def __init__(self, standings: Mapping[int, Standing]) -> None:
        self._standings = standings
        self.balance_deltas: dict[int, int] = {}
        self.held_deltas: dict[int, int] = {}

    def standing(self, account: int) -> Standing:
        """The account as it is after what was booked so far."""
        balance, held, frozen = self._standings[account]
        return Standing(balance + self.balance_deltas.get(account, 0), held + self.held_deltas.get(account, 0), frozen)

    def require(self, events: list[Event]) -> None:
        """Raises AccountNotLocked where the events touch an account outside the locked ones."""
        for account in accounts_of(events):
            if account not in self._standings:
                raise AccountNotLocked(account)

    def judge(self, events: list[Event]) -> str:
        """Book one command's events; the code of the refusal where its owner cannot pay, and then nothing is booked.

        Every account in the events must be locked.
        """
        first = events[0]
        if type(first) is Accepted:
            account = first.pay_account
            balance, held, frozen = self._standings[account]
            if frozen:
                return ACCOUNT_FROZEN
            available = balance + self.balance_deltas.get(account, 0) - held - self.held_deltas.get(account, 0)
            if available < _taken_by_incoming(events):
                return INSUFFICIENT_FUNDS
        self._book(events)
        return ""

    def _book(self, events: list[Event]) -> None:
        balance, held = self.balance_deltas, self.held_deltas
        for event in events:
            if type(event) is Traded:
                base_buyer, quote_buyer = event.buyer_base_account, event.buyer_quote_account
                base_seller, quote_seller = event.seller_base_account, event.seller_quote_account
                balance[base_buyer] = balance.get(base_buyer, 0) + event.base_units - event.buyer_fee
                balance[quote_buyer] = balance.get(quote_buyer, 0) - event.quote_units
                balance[base_seller] = balance.get(base_seller, 0) - event.base_units
                balance[quote_seller] = balance.get(quote_seller, 0) + event.quote_units - event.seller_fee
                # The maker pays out of its hold.
                if event.taker_side == BUY:
                    held[base_seller] = held.get(base_seller, 0) - event.base_units
                else:
                    held[quote_buyer] = held.get(quote_buyer, 0) - event.quote_units
            elif type(event) is Rested:
                held[event.pay_account] = held.get(event.pay_account, 0) + event.held
            elif type(event) is Closed and event.released:
                held[event.pay_account] = held.get(event.pay_account, 0) - event.released


def _taken_by_incoming(events: Iterable[Event]) -> int:
    """What the incoming order spends in its fills, and holds for its rest, in base units of what it pays with."""
    taken = 0
    for event in events:
        if type(event) is Traded:
            taken += event.quote_units if event.taker_side == BUY else event.base_units
        elif type(event) is Rested:
            taken += event.held
    return taken
