"""What a batch does to the ledger's accounts, and whether those who ask for something can pay for it.

Only who places or amends an order can fall short: what a resting or armed order may cost is held since it stands, and a
triggered order spends what its hold gave back. An order is judged on what it really takes: the fills it made at the makers'
prices, plus the hold of what stands, less the hold that an amendment gave back.
What must never happen here: an account whose held amount leaves 0 ≤ held ≤ balance. `judge` refuses before it books.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from trading.engine.events import (
    Accepted,
    Amended,
    Armed,
    Closed,
    Event,
    Ratcheted,
    Reduced,
    Rested,
    Traded,
    Triggered,
)  # fmt: skip
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
        if isinstance(event, Traded):
            found.add(event.buyer_base_account)
            found.add(event.buyer_quote_account)
            found.add(event.seller_base_account)
            found.add(event.seller_quote_account)
        elif isinstance(event, Ratcheted):
            if event.released:  # a trailing stop that sells holds what it held
                found.add(event.pay_account)
        elif isinstance(event, (Accepted, Rested, Closed, Armed, Triggered, Reduced, Amended)):
            found.add(event.pay_account)


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
        first = events[0] if events else None
        if isinstance(first, (Accepted, Amended, Reduced)):
            account = first.pay_account
            balance, held, frozen = self._standings[account]
            if frozen:
                return ACCOUNT_FROZEN
            available = balance + self.balance_deltas.get(account, 0) - held - self.held_deltas.get(account, 0)
            if available < _newly_taken(events):
                return INSUFFICIENT_FUNDS
        self._book(events)
        return ""

    def _book(self, events: list[Event]) -> None:
        held = self.held_deltas
        for event in events:
            if isinstance(event, Traded):
                self._book_trade(event)
            elif isinstance(event, (Rested, Armed)):
                held[event.pay_account] = held.get(event.pay_account, 0) + event.held
            elif isinstance(event, (Closed, Triggered, Ratcheted, Reduced, Amended)) and event.released:
                held[event.pay_account] = held.get(event.pay_account, 0) - event.released

    def _book_trade(self, trade: Traded) -> None:
        balance, held = self.balance_deltas, self.held_deltas
        base_buyer, quote_buyer = trade.buyer_base_account, trade.buyer_quote_account
        base_seller, quote_seller = trade.seller_base_account, trade.seller_quote_account
        base, quote = trade.base_units, trade.quote_units
        balance[base_buyer] = balance.get(base_buyer, 0) + base - trade.buyer_fee
        balance[quote_buyer] = balance.get(quote_buyer, 0) - quote
        balance[base_seller] = balance.get(base_seller, 0) - base
        balance[quote_seller] = balance.get(quote_seller, 0) + quote - trade.seller_fee
        # The maker pays out of its hold.
        if trade.taker_side is BUY:
            held[base_seller] = held.get(base_seller, 0) - base
        else:
            held[quote_buyer] = held.get(quote_buyer, 0) - quote


def _newly_taken(events: Iterable[Event]) -> int:
    """What the command's own orders spend in their fills, and hold where they stand, beyond what they gave back."""
    taken = own = 0
    for event in events:
        if isinstance(event, Traded):
            if event.taker_order_id == own:
                taken += event.quote_units if event.taker_side is BUY else event.base_units
        elif isinstance(event, (Rested, Armed)):
            if event.order_id == own:
                taken += event.held
        elif isinstance(event, Accepted):
            own = event.order_id  # an OCO has two, one after the other
        elif isinstance(event, Amended):
            own = event.order_id
            taken -= event.released
    return taken
