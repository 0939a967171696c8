"""What tests of limits on coins share: counting like an auditor, and a time at which prices are known."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from exchange.assets.models import Rate
from exchange.compliance import selectors as compliance
from exchange.ledger import selectors as ledger
from kyc import selectors as kyc
from kyc.kinds import DAY_S, DEPOSIT
from wallets import selectors
from wallets.models import Deposit

ALICE, BTC, COIN = 101, 1, 10**8
DOLLARS = 100  # cents


class Clock:
    """The time of the test, and prices that are known at it."""

    def __init__(self):
        self.now = timezone.now()

    def wait(self, **span):
        self.now += timedelta(**span)
        Rate.objects.update(as_of=self.now)


def balance(user_id=ALICE):
    return sum(each.balance for each in ledger.balances(owner_id=user_id))


def total(kind):
    return sum(each.balance for each in ledger.totals() if each.kind == kind and each.asset_id == BTC)


def used(kind=DEPOSIT, seconds=DAY_S, *, now):
    found = kyc.allowances(ALICE, now=now)
    return next(each.used for each in found if (each.kind, each.seconds) == (kind, seconds))


def whole():
    """The books are whole, and what is owed covers what waits."""
    sums = {}
    for each in ledger.totals():
        sums[each.asset_id] = sums.get(each.asset_id, 0) + each.balance
    held = sum(each.amount for each in Deposit.objects.filter(state="held"))
    assert not any(sums.values())
    assert selectors.held_deposits().get(BTC, 0) == total("suspense") == held
    assert compliance._owed().get(BTC, 0) == total("customer") + held
