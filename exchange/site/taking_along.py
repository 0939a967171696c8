"""What a customer's copy of the data is made of, and what keeps an account from being closed: each room's part, asked through its
selectors and handed to the registry of accounts, which may not look up here.

What must never happen here: a row of somebody else, a secret, or a list that is read whole (every part goes page by page).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.utils import timezone

from exchange.accounts import protection, registry
from exchange.accounts import selectors as accounts
from exchange.accounts.second_factors import selectors as factors
from exchange.assets import selectors as assets
from exchange.core import amounts, times
from exchange.fiat import selectors as fiat
from exchange.invoices import selectors as invoices
from exchange.ledger import selectors as ledger
from exchange.site.services import favourites
from kyc import application_selectors as applications
from kyc import selectors as kyc
from trading import selectors as trading
from wallets import selectors as wallets
from wallets.services import address_book

PAGE = 200
_UNITS = ("amount", "fee", "total", "network_fee", "announced", "settled")


def register() -> None:
    """Called once, at start-up."""
    for name, part in _PARTS.items():
        registry.exports(name, part)
    for name, hindrance in _HINDRANCES.items():
        registry.on_closing(name, hindrance)


# --- The copy of the data -------------------------------------------------------------------------------------------


def _profile(user_id: int) -> Iterator[dict[str, Any]]:
    yield _plain(asdict(accounts.person(user_id)))


def _verification(user_id: int) -> Iterator[dict[str, Any]]:
    level = kyc.level(user_id)
    yield {"level": level.number, "name": level.name, "standing_since": _plain(kyc.standing_since(user_id))}
    yield from applications.export(user_id)


def _factors(user_id: int) -> Iterator[dict[str, Any]]:
    for each in factors.factors(user_id):
        yield _plain(asdict(each))


def _devices(user_id: int) -> Iterator[dict[str, Any]]:
    for each in protection.devices(user_id, current=None):
        yield _plain(asdict(each))


def _log_ins(user_id: int) -> Iterator[dict[str, Any]]:
    yield from _paged(lambda before: protection.history(user_id, before=before, limit=PAGE))


def _orders(user_id: int) -> Iterator[dict[str, Any]]:
    yield from _paged(lambda before: trading.orders(user_id, before=before, limit=PAGE))


def _fills(user_id: int) -> Iterator[dict[str, Any]]:
    yield from _paged(lambda before: trading.fills(user_id, before=before, limit=PAGE))


def _favourites(user_id: int) -> Iterator[dict[str, Any]]:
    for each in favourites.export(user_id):
        yield _plain(each)


def _deposits(user_id: int) -> Iterator[dict[str, Any]]:
    yield from _paged(lambda before: wallets.deposits(user_id, before=before, limit=PAGE))


def _withdrawals(user_id: int) -> Iterator[dict[str, Any]]:
    yield from _paged(lambda before: wallets.withdrawals(user_id, before=before, limit=PAGE))


def _deposit_addresses(user_id: int) -> Iterator[dict[str, Any]]:
    for each in wallets.deposit_addresses(user_id):
        yield _plain(asdict(each))


def _address_list(user_id: int) -> Iterator[dict[str, Any]]:
    for each in address_book.listing(user_id, now=timezone.now()):
        yield _plain(asdict(each))


def _bank_deposits(user_id: int) -> Iterator[dict[str, Any]]:
    known = {asset.id: asset for asset in assets.assets(enabled_only=False)}
    for row in _paged(lambda before: fiat.deposits(user_id, before=before, limit=PAGE), plain=False):
        asset = known[row["asset_id"]]
        yield _plain({**row, "asset": asset.code, "decimals": asset.decimals})


def _invoices(user_id: int) -> Iterator[dict[str, Any]]:
    yield from _paged(lambda before: invoices.invoices(user_id, before=before, limit=PAGE))


def _balances(user_id: int) -> Iterator[dict[str, Any]]:
    known = {asset.id: asset for asset in assets.assets(enabled_only=False)}
    for each in ledger.balances(owner_id=user_id):
        asset = known[each.asset_id]
        yield {
            "asset": asset.code,
            "balance": amounts.format(each.balance, decimals=asset.decimals),
            "held": amounts.format(each.held, decimals=asset.decimals),
        }


def _entries(user_id: int) -> Iterator[dict[str, Any]]:
    """Every line of the books on the customer's accounts, account by account."""
    known = {asset.id: asset for asset in assets.assets(enabled_only=False)}
    for asset_id, account_id in sorted(ledger.account_ids(owner_id=user_id).items()):
        asset = known[asset_id]

        def of(before: int | None, account_id: int = account_id) -> Sequence[Any]:
            return ledger.history(account_id=account_id, before=before, limit=PAGE)

        for row in _paged(of, plain=False):
            yield _plain({**row, "asset": asset.code, "decimals": asset.decimals})


_PARTS: dict[str, Callable[[int], Iterator[dict[str, Any]]]] = {
    "profile": _profile,
    "verification": _verification,
    "second_factors": _factors,
    "devices": _devices,
    "log_ins": _log_ins,
    "orders": _orders,
    "fills": _fills,
    "favourite_markets": _favourites,
    "deposits": _deposits,
    "withdrawals": _withdrawals,
    "deposit_addresses": _deposit_addresses,
    "address_list": _address_list,
    "bank_deposits": _bank_deposits,
    "invoices": _invoices,
    "balances": _balances,
    "ledger_entries": _entries,
}


def _paged(read: Callable[[Any], Sequence[Any]], *, plain: bool = True) -> Iterator[dict[str, Any]]:
    """Page after page from the newest back; the cursor is the last id."""
    before = None
    while page := read(before):
        for row in page:
            yield _plain(asdict(row)) if plain else asdict(row)
        before = page[-1].id


def _plain(value: Any) -> Any:
    """Times as ISO text, amounts as decimal text where the row says its decimals, all else as it is or as text."""
    if isinstance(value, dict):
        decimals = value.get("decimals")
        return {
            name: amounts.format(each, decimals=decimals)
            if decimals is not None and name in _UNITS and isinstance(each, int)
            else _plain(each)
            for name, each in value.items()
        }
    if isinstance(value, datetime):
        return times.iso(value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, str | int | bool) else str(value)


# --- What is in the way of closing ----------------------------------------------------------------------------------


def _money_left(user_id: int, now: datetime) -> str | None:
    codes = {asset.id: asset.code for asset in assets.assets(enabled_only=False)}
    left = sorted(codes[each.asset_id] for each in ledger.balances(owner_id=user_id) if each.balance or each.held)
    return f"There is money left: {', '.join(left)}. Withdraw it first." if left else None


def _debts(user_id: int, now: datetime) -> str | None:
    return (
        "A deposit that was taken back left a debt. Write to support." if ledger.receivables(owner_id=user_id) else None
    )


def _open_orders(user_id: int, now: datetime) -> str | None:
    return "There are open orders. Cancel them first." if trading.has_open_orders(user_id) else None


def _withdrawals_under_way(user_id: int, now: datetime) -> str | None:
    under_way = wallets.has_withdrawal_under_way(user_id)
    return "A withdrawal is still under way. Wait until it has arrived." if under_way else None


def _deposits_under_way(user_id: int, now: datetime) -> str | None:
    return "A deposit is still on its way. Wait until it is credited." if wallets.pending(user_id) else None


def _bank_transfers(user_id: int, now: datetime) -> str | None:
    if fiat.deposits(user_id, states=["held"], limit=1):
        return "A bank transfer of yours has arrived and is not credited yet. Wait until it is."
    announced = fiat.deposits(user_id, states=["announced"], limit=1)
    return "A bank transfer was announced. Cancel it or wait for it." if announced else None


def _open_invoices(user_id: int, now: datetime) -> str | None:
    waiting = invoices.has_open(user_id)
    return "An invoice of yours waits to be paid. Wait until it has ended." if waiting else None


_HINDRANCES: dict[str, Callable[[int, datetime], str | None]] = {
    "money": _money_left,
    "debts": _debts,
    "orders": _open_orders,
    "withdrawals": _withdrawals_under_way,
    "deposits": _deposits_under_way,
    "bank": _bank_transfers,
    "invoices": _open_invoices,
}
