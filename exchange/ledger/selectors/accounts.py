"""Balances, by owner and in total. What must never happen here: an amount that is not an int of base units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Sum

from exchange.ledger.journal import Kind
from exchange.ledger.models import Account, Freeze


@dataclass(frozen=True)
class Balance:
    """A customer's money in one asset. `available` = balance − held."""

    asset_id: int
    account_id: int
    balance: int
    held: int
    available: int


@dataclass(frozen=True)
class Total:
    """All accounts of one kind in one asset, signed as the book has them; an asset's totals sum to zero."""

    asset_id: int
    kind: Kind
    balance: int
    held: int


def balances(*, owner_id: int) -> list[Balance]:
    """The customer's balances, by asset id."""
    rows = Account.objects.filter(owner_id=owner_id, kind=Kind.CUSTOMER.value, label="").order_by("asset_id")
    return [
        Balance(asset_id=a.asset_id, account_id=a.id, balance=a.balance, held=a.held, available=a.balance - a.held)
        for a in rows
    ]


def account_ids(*, owner_id: int) -> dict[int, int]:
    """The customer's account by asset id."""
    rows = Account.objects.filter(owner_id=owner_id, kind=Kind.CUSTOMER.value, label="")
    return dict(rows.values_list("asset_id", "id"))


def account_ids_of(*, owner_ids: Iterable[int]) -> dict[int, dict[int, int]]:
    """The accounts of many customers by asset id, in one query; whoever has none is left out."""
    rows = Account.objects.filter(owner_id__in=list(owner_ids), kind=Kind.CUSTOMER.value, label="")
    found: dict[int, dict[int, int]] = {}
    for owner_id, asset_id, account_id in rows.values_list("owner_id", "asset_id", "id"):
        found.setdefault(owner_id, {})[asset_id] = account_id
    return found


def owner_of(*, account_ids: Iterable[int]) -> dict[int, int]:
    """The owner by account id, for those of the accounts that have one."""
    rows = Account.objects.filter(id__in=list(account_ids), owner_id__isnull=False)
    return dict(rows.values_list("id", "owner_id"))


def receivables(*, owner_id: int) -> dict[int, int]:
    """What the customer owes us, by asset id; positive amounts, nothing for what is paid."""
    rows = Account.objects.filter(owner_id=owner_id, kind=Kind.RECEIVABLE.value, balance__lt=0)
    return {asset_id: -balance for asset_id, balance in rows.values_list("asset_id", "balance")}


def is_frozen(*, owner_id: int, source: str | None = None) -> bool:
    """Whether any freeze stands, or the one of this source."""
    rows = Freeze.objects.filter(owner_id=owner_id, lifted_at=None)
    return (rows if source is None else rows.filter(source=source)).exists()


def frozen_among(*, owner_ids: Iterable[int]) -> set[int]:
    """Those of the customers who are frozen. One query."""
    rows = Freeze.objects.filter(owner_id__in=list(owner_ids), lifted_at=None)
    return set(rows.values_list("owner_id", flat=True))


def labelled(kind: Kind, label: str) -> dict[int, int]:
    """The balance by asset id of the house's accounts of this kind and label."""
    rows = Account.objects.filter(kind=kind.value, label=label, owner_id=None)
    return {asset_id: int(balance) for asset_id, balance in rows.values_list("asset_id", "balance")}


def totals() -> list[Total]:
    """The book in a few lines: by asset and kind."""
    rows = Account.objects.values("asset_id", "kind").annotate(balance_sum=Sum("balance"), held_sum=Sum("held"))
    return [
        Total(asset_id=r["asset_id"], kind=Kind(r["kind"]), balance=int(r["balance_sum"]), held=int(r["held_sum"]))
        for r in rows.order_by("asset_id", "kind")
    ]
