"""The services against the naive ledger: any sequence of requests gets the same answers and ends in the same book."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from exchange.core.errors import DomainError
from exchange.ledger import reconciliation, verification
from exchange.ledger.journal import Entry, Transfer
from exchange.ledger.models import Account
from exchange.ledger.services import accounts, freezes, holds, reversals, transfers
from tests.properties.naive_ledger import Account as NaiveAccount
from tests.properties.naive_ledger import NaiveLedger

START = datetime(2026, 11, 20, tzinfo=UTC)
OWNERS = (1, 2, 3)
ASSETS = (1, 4)

ids = st.integers(1, 30).map(lambda n: UUID(int=n))  # few, so that ids meet again
amounts = st.integers(1, 40)
slots = st.integers(0, 10)
rarely = st.integers(0, 9).map(lambda n: n == 9)
delays = st.sampled_from([None, None, None, 1, 5, -1])
assets = st.sampled_from(ASSETS)
owners = st.sampled_from(OWNERS)
texts = st.sampled_from(["", "x|1:2"])
kinds = st.sampled_from(["payment", "payment", "payment", "correction", "reversal"])


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.naive = NaiveLedger()
        self.minutes = 0
        self.by_name: dict[tuple[str, int, int | None], int] = {}
        for asset in ASSETS:
            self._open("chain_wallet", asset, None)
            self._open("house_fees", asset, None)
            self._open("house_capital", asset, None)
            for owner in OWNERS:
                self._open("customer", asset, owner)
                self._open("receivable", asset, owner)
        for asset in ASSETS:
            for owner in OWNERS[:2]:
                self._both(
                    UUID(int=1000 + 10 * asset + owner),
                    "deposit",
                    "",
                    self.wallet(asset),
                    self.customer(asset, owner),
                    60,
                )

    def _open(self, kind: str, asset: int, owner: int | None) -> None:
        account = accounts.open(kind=kind, asset_id=asset, owner_id=owner, now=START)
        self.by_name[kind, asset, owner] = account
        self.naive.accounts[account] = NaiveAccount(kind, asset, owner)

    def wallet(self, asset: int) -> int:
        return self.by_name["chain_wallet", asset, None]

    def customer(self, asset: int, owner: int) -> int:
        return self.by_name["customer", asset, owner]

    def account(self, slot: int, asset: int) -> int:
        mine = [account for (_, of, _), account in self.by_name.items() if of == asset]
        return mine[slot % len(mine)]

    @property
    def now(self) -> datetime:
        return START + timedelta(minutes=self.minutes)

    def _both(self, id: UUID, kind: str, reference: str, source: int, target: int, amount: int) -> None:
        entries = (Entry(source, -amount), Entry(target, amount))
        expected = self.naive.post((id, (kind, reference, entries)))
        self._same(expected, transfers.post, transfers=[Transfer(id, kind, entries, reference)])

    def _same(self, expected: str | None, service, **arguments):
        """Both refuse with one code, or both do it; what the service gave back."""
        try:
            result = service(**arguments, now=self.now)
        except DomainError as error:
            assert error.code == expected
            return None
        assert expected is None, f"the naive ledger says {expected}, the service did it"
        return result

    @rule(
        id=ids,
        kind=kinds,
        source=slots,
        to=slots,
        asset=assets,
        amount=amounts,
        text=texts,
    )
    def pay(self, id, kind, source, to, asset, amount, text):
        source, to = self.account(source, asset), self.account(to, asset)
        self._both(id, kind, text, source, to, amount)

    @rule(
        first=ids,
        second=ids,
        source=slots,
        over=slots,
        to=slots,
        asset=assets,
        amount=amounts,
        less=st.integers(0, 3),
    )
    def pay_in_two_steps(self, first, second, source, over, to, asset, amount, less):
        if first == second:
            return
        source, over, to = (self.account(slot, asset) for slot in (source, over, to))
        back = (Entry(over, -amount), Entry(to, amount - less), *([Entry(source, less)] if less else []))
        pair = [
            Transfer(first, "payment", (Entry(source, -amount), Entry(over, amount))),
            Transfer(
                second,
                "payment",
                back,
            ),
        ]
        pair = [t for t in pair if all(entry.amount for entry in t.entries)]
        expected = self.naive.post(*[(t.id, (t.kind, t.reference, t.entries)) for t in pair])
        self._same(expected, transfers.post, transfers=pair)

    @rule(id=ids, source=slots, to=slots, amount=amounts, off=st.sampled_from([-1, 1]))
    def post_what_is_not_zero(self, id, source, to, amount, off):
        entries = (Entry(self.account(source, 1), -amount), Entry(self.account(to, 1), amount + off))
        if not entries[1].amount:
            return
        expected = self.naive.post((id, ("payment", "", entries)))
        assert expected in ("transfer_invalid", "transfer_conflict")
        self._same(expected, transfers.post, transfers=[Transfer(id, "payment", entries)])

    @rule(id=ids, source=slots, to=slots, amount=amounts)
    def mix_two_assets(self, id, source, to, amount):
        entries = (Entry(self.account(source, 1), -amount), Entry(self.account(to, 4), amount))
        expected = self.naive.post((id, ("payment", "", entries)))
        self._same(expected, transfers.post, transfers=[Transfer(id, "payment", entries)])

    @rule(id=ids, slot=slots, asset=assets, amount=amounts, minutes=delays, anywhere=rarely)
    def place(self, id, slot, asset, amount, minutes, anywhere):
        expires = None if minutes is None else self.minutes + minutes
        account = self.account(slot, asset) if anywhere else self.customer(asset, 1 + slot % 2)
        expected = self.naive.place(id, account, amount, expires, self.minutes)
        when = None if expires is None else START + timedelta(minutes=expires)
        self._same(expected, holds.place, id=id, account_id=account, amount=amount, expires_at=when)

    def hold(self, pick: int, unknown: bool) -> UUID:
        placed = list(self.naive.holds)
        return UUID(int=999) if unknown or not placed else placed[pick % len(placed)]

    @rule(pick=slots, transfer_id=ids, to=slots, amount=amounts, whole=st.booleans(), unknown=rarely)
    def settle(self, pick, transfer_id, to, amount, whole, unknown):
        id = self.hold(pick, unknown)
        hold = self.naive.holds.get(id)
        source = hold.account if hold else self.account(0, 1)
        amount = hold.amount if hold and whole else amount
        to = self.account(to, self.naive.accounts[source].asset)
        entries = (Entry(source, -amount), Entry(to, amount))
        expected = self.naive.settle(id, transfer_id, ("withdrawal", "", entries))
        self._same(expected, holds.settle, id=id, transfer=Transfer(transfer_id, "withdrawal", entries))

    @rule(pick=slots)
    def settle_again(self, pick):
        settled = [(id, hold) for id, hold in self.naive.holds.items() if hold.transfer is not None]
        if settled:
            id, hold = settled[pick % len(settled)]
            kind, reference, entries = self.naive.posted[hold.transfer]
            again = Transfer(hold.transfer, kind, entries, reference)
            assert self._same(None, holds.settle, id=id, transfer=again).replayed

    @rule(pick=slots, unknown=rarely)
    def void(self, pick, unknown):
        id = self.hold(pick, unknown)
        self._same(self.naive.void(id), holds.void, id=id)

    @rule(minutes=st.integers(0, 3))
    def time_passes(self, minutes):
        self.minutes += minutes
        assert holds.expire_due(now=self.now) == self.naive.expire(self.minutes)

    @rule(
        id=ids,
        owner=owners,
        asset=assets,
        amount=amounts,
        text=texts,
    )
    def take_back(self, id, owner, asset, amount, text):
        wallet = self.wallet(asset)
        expected = self.naive.take_back(
            id, self.customer(asset, owner), self.by_name["receivable", asset, owner], wallet, amount, text
        )
        result = self._same(
            expected if isinstance(expected, str) else None, reversals.take_back, id=id, owner_id=owner, asset_id=asset,
            amount=amount, against_account_id=wallet, kind="take_back", reference=text,
        )  # fmt: skip
        assert result is None or (result.taken, result.receivable) == expected

    @rule(number=st.integers(2000, 2**60), owner=owners, asset=assets)
    def repay(self, number, owner, asset):
        id = UUID(int=number)
        if id in self.naive.posted:
            return
        expected = self.naive.repay(id, self.customer(asset, owner), self.by_name["receivable", asset, owner])
        result = reversals.repay(id=id, owner_id=owner, asset_id=asset, now=self.now)
        assert (result.repaid, result.outstanding) == expected

    @rule(owner=owners)
    def freeze(self, owner):
        assert freezes.freeze(owner_id=owner, reason="An enquiry.", actor=1, now=self.now) == self.naive.freeze(owner)

    @rule(owner=owners)
    def unfreeze(self, owner):
        self._same(self.naive.unfreeze(owner), freezes.unfreeze, owner_id=owner, reason="Cleared.", actor=1)

    @invariant()
    def the_books_are_the_same(self):
        rows = Account.objects.filter(id__in=self.naive.accounts)
        found = {a.id: (a.balance, a.held, a.frozen) for a in rows}
        expected = {id: (a.balance, a.held, self.naive.frozen(id)) for id, a in self.naive.accounts.items()}
        assert found == expected

    def teardown(self) -> None:
        try:
            assert reconciliation.run(now=self.now).mismatches == ()
            assert verification.verify().finding is None
        finally:
            transaction.set_rollback(True)
            self.atomic.__exit__(None, None, None)


@pytest.mark.django_db
@pytest.mark.timeout(900)  # a failure is made small first, for up to five minutes
def test_the_services_answer_as_the_naive_ledger_does():
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=25, stateful_step_count=50, deadline=None, print_blob=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )  # fmt: skip
