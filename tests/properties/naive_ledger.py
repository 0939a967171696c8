"""The ledger as somebody would write it who need not care for speed, threads or crashes: dictionaries and ifs.

It answers each request with the code of the error, or with None when it is done. What must never happen here: a line
borrowed from exchange.ledger; a mistake must not be in both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

SPENDING = ("customer", "house_capital")
DEBIT = ("receivable", "house_network_fees", "house_rebates", "chain_wallet", "bank")


@dataclass
class Account:
    kind: str
    asset: int
    owner: int | None
    balance: int = 0
    held: int = 0

    def could_be(self, balance: int, held: int) -> bool:
        if self.kind in DEBIT:
            return balance <= 0 and held == 0
        if self.kind in SPENDING:
            return balance >= held >= 0
        return balance >= 0 and held == 0


@dataclass
class Hold:
    account: int
    amount: int
    expires: int | None
    state: str = "pending"
    transfer: UUID | None = None


@dataclass
class NaiveLedger:
    accounts: dict[int, Account] = field(default_factory=dict)
    posted: dict[UUID, tuple] = field(default_factory=dict)
    holds: dict[UUID, Hold] = field(default_factory=dict)
    freezes: dict[int, set[str]] = field(default_factory=dict)
    reversals: dict[UUID, tuple] = field(default_factory=dict)

    # `body` of a transfer: (kind, reference, ((account, amount), …))

    def frozen(self, account: int) -> bool:
        owner = self.accounts[account].owner
        return owner is not None and bool(self.freezes.get(owner))

    def post(
        self, *transfers: tuple[UUID, tuple], exempt: int | None = None, release: tuple[int, int] | None = None
    ) -> str | None:
        fresh = []
        for id, body in transfers:
            if id not in self.posted:
                fresh.append((id, body))
            elif self.posted[id] != body:
                return "transfer_conflict"
        for _, (_, _, entries) in fresh:
            totals: dict[int, int] = {}
            for account, amount in entries:
                asset = self.accounts[account].asset
                totals[asset] = totals.get(asset, 0) + amount
            if any(totals.values()):
                return "transfer_invalid"
        for _, (kind, _, entries) in fresh:
            for account in {account for account, _ in entries}:
                change = sum(amount for a, amount in entries if a == account)
                wants = kind not in ("reversal", "repayment", "correction", "seizure") and account != exempt
                if change < 0 and wants and self.frozen(account) and self.accounts[account].kind == "customer":
                    return "account_frozen"
        for account, row in self.accounts.items():
            change = sum(amount for _, (_, _, entries) in fresh for a, amount in entries if a == account)
            if change < 0 and row.kind == "receivable":
                return "transfer_invalid"
        changes: dict[int, list[int]] = {}
        for _, (_, _, entries) in fresh:
            for account, amount in entries:
                changes.setdefault(account, [0, 0])[0] += amount
        if release:
            changes.setdefault(release[0], [0, 0])[1] -= release[1]
        for account, (amount, held) in changes.items():
            row = self.accounts[account]
            if not row.could_be(row.balance + amount, row.held + held):
                return "insufficient_funds"
        for account, (amount, held) in changes.items():
            self.accounts[account].balance += amount
            self.accounts[account].held += held
        self.posted.update(fresh)
        return None

    def place(self, id: UUID, account: int, amount: int, expires: int | None, now: int) -> str | None:
        row = self.accounts[account]
        if id in self.holds:
            first = self.holds[id]
            return (
                None if (first.account, first.amount, first.expires) == (account, amount, expires) else "hold_conflict"
            )
        if expires is not None and expires <= now:
            return "hold_invalid"
        if row.kind not in SPENDING:
            return "hold_invalid"
        if self.frozen(account):
            return "account_frozen"
        if row.balance - row.held < amount:
            return "insufficient_funds"
        row.held += amount
        self.holds[id] = Hold(account, amount, expires)
        return None

    def settle(self, id: UUID, transfer_id: UUID, body: tuple) -> str | None:
        if id not in self.holds:
            return "hold_not_found"
        hold = self.holds[id]
        if hold.state == "posted" and hold.transfer == transfer_id:
            return None if self.posted[transfer_id] == body else "transfer_conflict"
        if hold.state != "pending":
            return "hold_resolved"
        taken = -sum(amount for account, amount in body[2] if account == hold.account)
        if not 0 < taken <= hold.amount:
            return "hold_exceeded"
        if transfer_id in self.posted:
            return "transfer_conflict"
        if error := self.post((transfer_id, body), exempt=hold.account, release=(hold.account, hold.amount)):
            return error
        hold.state, hold.transfer = "posted", transfer_id
        return None

    def void(self, id: UUID) -> str | None:
        if id not in self.holds:
            return "hold_not_found"
        hold = self.holds[id]
        if hold.state == "posted":
            return "hold_resolved"
        if hold.state == "pending":
            self.accounts[hold.account].held -= hold.amount
            hold.state = "voided"
        return None

    def expire(self, now: int) -> int:
        due = [h for h in self.holds.values() if h.state == "pending" and h.expires is not None and h.expires <= now]
        for hold in due:
            self.accounts[hold.account].held -= hold.amount
            hold.state = "expired"
        return len(due)

    def take_back(
        self, id: UUID, customer: int, receivable: int, against: int, amount: int, reference: str
    ) -> tuple | str:
        request = (customer, against, amount, reference)
        if id in self.reversals:
            return self.reversals[id][1] if self.reversals[id][0] == request else "transfer_conflict"
        if id in self.posted:
            return "transfer_conflict"
        row, debt, other = self.accounts[customer], self.accounts[receivable], self.accounts[against]
        if not other.could_be(other.balance + amount, other.held):
            return "insufficient_funds"
        taken = min(amount, row.balance - row.held)
        row.balance -= taken
        debt.balance -= amount - taken
        other.balance += amount
        if taken < amount:
            self.freezes.setdefault(row.owner, set()).add("receivable")
        self.reversals[id] = (request, (taken, amount - taken))
        entries = ((customer, -taken), (receivable, taken - amount), (against, amount))
        self.posted[id] = ("take_back", reference, tuple(entry for entry in entries if entry[1]))
        return taken, amount - taken

    def repay(self, id: UUID, customer: int, receivable: int) -> tuple:
        row, debt = self.accounts[customer], self.accounts[receivable]
        paid = min(-debt.balance, row.balance - row.held)
        row.balance -= paid
        debt.balance += paid
        if paid:
            self.posted[id] = ("repayment", "", ((customer, -paid), (receivable, paid)))
        if not any(a.owner == row.owner and a.kind == "receivable" and a.balance for a in self.accounts.values()):
            self.freezes.get(row.owner, set()).discard("receivable")
        return paid, -debt.balance

    def freeze(self, owner: int) -> bool:
        sources = self.freezes.setdefault(owner, set())
        new = "staff" not in sources
        sources.add("staff")
        return new

    def unfreeze(self, owner: int) -> str | None:
        if "staff" not in self.freezes.get(owner, set()):
            return "not_frozen"
        self.freezes[owner].discard("staff")
        return None
