"""The book's own rules, pure: what an account kind may hold, what a transfer is, and how both are proved afterwards.

Everything that decides whether a posting is well-formed, and every byte that goes into a hash, stands here, so that anyone
can check the book with this file and the rows alone. Sign convention: a credit is positive, a debit negative; the entries of
a transfer sum to zero for each asset, and a balance is the sum of its account's entries.
What must never happen here: a clock, randomness, I/O, a float, or a kind of account without a sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

ENTRIES_MAX = 32  # a transfer; an entry's id is its transfer's id × 32 + its place
TRANSFERS_MAX = 4096  # a batch
REFERENCE_CHARACTERS_MAX = 200
AMOUNT_MAX = 10**77  # numeric(78, 0) holds it, with room for a sum
GENESIS = bytes(32)  # the head of a chain that has no batch yet

_KIND = re.compile(r"[a-z][a-z0-9_]{0,31}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

# Transfers that go through against a frozen customer: what the house must do whatever the customer wants.
FORCED_KINDS = frozenset({"reversal", "repayment", "correction", "seizure"})


class JournalError(ValueError):
    """A posting that no book could take. `code` says which rule it breaks."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Side(StrEnum):
    """On which side an account's balance normally stands."""

    CREDIT = "credit"
    DEBIT = "debit"


class Kind(StrEnum):
    """What an account is for. The sign of its balance follows from it, for every row, without exemption."""

    CUSTOMER = "customer"  # what we owe a customer
    RECEIVABLE = "receivable"  # what a customer owes us
    HOUSE_FEES = "house_fees"
    HOUSE_CAPITAL = "house_capital"
    HOUSE_SPREAD = "house_spread"
    HOUSE_NETWORK_FEES = "house_network_fees"  # an expense
    HOUSE_REBATES = "house_rebates"  # what makers are paid for resting orders: an expense, too
    SUSPENSE = "suspense"
    CHAIN_WALLET = "chain_wallet"  # coins we hold on a chain
    BANK = "bank"

    @property
    def normal_side(self) -> Side:
        return Side.DEBIT if self in _DEBIT_KINDS else Side.CREDIT

    @property
    def may_hold(self) -> bool:
        """Whether a part of the balance may be held for something pending."""
        return self in (Kind.CUSTOMER, Kind.HOUSE_CAPITAL)

    @property
    def has_owner(self) -> bool:
        return self in (Kind.CUSTOMER, Kind.RECEIVABLE)

    def allows(self, *, balance: int, held: int) -> bool:
        """The same rule as the CHECKs on ledger_account."""
        if self.normal_side is Side.DEBIT:
            return balance <= 0 and held == 0
        return 0 <= held <= balance if self.may_hold else balance >= 0 and held == 0


_DEBIT_KINDS = frozenset({Kind.RECEIVABLE, Kind.HOUSE_NETWORK_FEES, Kind.HOUSE_REBATES, Kind.CHAIN_WALLET, Kind.BANK})


class Entry(NamedTuple):
    """One line of a transfer: base units, positive for a credit."""

    account_id: int
    amount: int


class Transfer(NamedTuple):
    """Money moved at once, or not at all. `id` is the client's: the same id with the same body is the same transfer."""

    id: UUID
    kind: str
    entries: tuple[Entry, ...]
    reference: str = ""


class HoldState(StrEnum):
    """A hold is pending, then one of the others, once."""

    PENDING = "pending"
    POSTED = "posted"
    VOIDED = "voided"
    EXPIRED = "expired"

    def may_become(self, other: HoldState) -> bool:
        return self is HoldState.PENDING and other is not HoldState.PENDING


def check(transfer: Transfer, *, assets: Mapping[int, int]) -> None:
    """Refuse a transfer that is malformed or does not sum to zero. `assets`: asset id by account id. Raises JournalError."""
    check_form(transfer)
    sums: dict[int, int] = {}
    for account_id, amount in transfer.entries:
        if account_id not in assets:
            raise JournalError("account_unknown", f"There is no ledger account {account_id}.")
        asset_id = assets[account_id]
        sums[asset_id] = sums.get(asset_id, 0) + amount
    for asset_id, total in sums.items():
        if total:
            raise JournalError("not_zero", f"The entries in asset {asset_id} sum to {total}, not to zero.")


def check_form(transfer: Transfer) -> None:
    """What can be said of a transfer without knowing its accounts. Raises JournalError."""
    if not _KIND.fullmatch(transfer.kind):
        raise JournalError("kind", "A transfer's kind is 1 to 32 of a-z, 0-9 and _, beginning with a letter.")
    if len(transfer.reference) > REFERENCE_CHARACTERS_MAX or _CONTROL.search(transfer.reference):
        raise JournalError("reference", "A reference has at most 200 characters and no control characters.")
    if not 2 <= len(transfer.entries) <= ENTRIES_MAX:
        raise JournalError("entries", f"A transfer has 2 to {ENTRIES_MAX} entries, not {len(transfer.entries)}.")
    for entry in transfer.entries:
        if type(entry.amount) is not int:
            raise JournalError("amount", "An amount is an int of base units.")
        if entry.amount == 0 or abs(entry.amount) >= AMOUNT_MAX:
            raise JournalError("amount", "An entry's amount is not zero and has at most 77 digits.")


def body(transfer: Transfer) -> bytes:
    """The bytes that stand for a transfer: `uuid|kind|length:reference|account:amount,account:amount…`, UTF-8.

    No two transfers share them: a kind has no bar, and the reference is preceded by its length in characters.
    """
    identity, kind, entries, reference = transfer
    lines = ",".join([f"{account_id}:{amount}" for account_id, amount in entries])
    return f"{identity.hex}|{kind}|{len(reference)}:{reference}|{lines}".encode()


def digest(transfer: Transfer) -> bytes:
    """SHA-256 of the body: two requests are the same transfer when their digests are."""
    return sha256(body(transfer)).digest()


def chain(*, previous: bytes, writer_id: int, seq: int, posted_at_us: int, digests: Sequence[bytes]) -> bytes:
    """The hash of a batch: over the one before it, its place in its writer's chain, its time and all its transfers.

    `posted_at_us`: microseconds since 1970 in UTC. Integers go in big-endian, signed: 8, 8, 8 and 4 bytes (ledger_post
    computes the same in the database).
    """
    return sha256(
        b"".join(
            (
                previous,
                writer_id.to_bytes(8, "big", signed=True),
                seq.to_bytes(8, "big", signed=True),
                posted_at_us.to_bytes(8, "big", signed=True),
                len(digests).to_bytes(4, "big", signed=True),
                *digests,
            )
        )
    ).digest()


def net(transfers: Iterable[Transfer]) -> dict[int, int]:
    """What the transfers together change, by account; an account that comes out even is left in, at zero."""
    changes: dict[int, int] = {}
    for transfer in transfers:
        for account_id, amount in transfer.entries:
            changes[account_id] = changes.get(account_id, 0) + amount
    return changes
