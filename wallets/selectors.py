"""What pages, the API and other rooms read of this room: frozen records only.

What must never happen here: a write, or a record of another customer's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from exchange.assets import selectors as assets
from exchange.assets.selectors import AssetNetworkView
from exchange.core.errors import NotFound
from exchange.ledger import selectors as ledger
from exchange.ledger.journal import Kind
from wallets import books, lifecycle, records, routes
from wallets.models import Address, Cursor, Deposit, Health, PayoutVersion, Source, Withdrawal, WithdrawalStep
from wallets.records import (
    AddressView,
    DepositView,
    NetworkHealthView,
    Step,
    Transaction,
    WithdrawalTerms,
    WithdrawalView,
)

__all__ = [
    "AddressView",
    "DepositView",
    "NetworkHealthView",
    "Step",
    "Transaction",
    "WithdrawalTerms",
    "WithdrawalView",
    "deposit",
    "deposit_addresses",
    "deposits",
    "hot_addresses",
    "network",
    "networks",
    "pending",
    "terms",
    "withdrawal",
    "withdrawals",
]
PAGE_MAX = 200


class DepositNotFound(NotFound):
    code = "deposit_not_found"


class WithdrawalNotFound(NotFound):
    code = "withdrawal_not_found"


def deposit_addresses(user_id: int) -> list[AddressView]:
    """The customer's addresses, one for each asset and network that has one; ETH and its tokens share theirs."""
    addresses = {
        address.network_id: address
        for address in Address.objects.filter(owner_id=user_id, reference="", purpose=Address.Purpose.DEPOSIT)
    }
    return [
        records.address_view(addresses[link.network_id], link)
        for link in assets.asset_networks()
        if link.network_id in addresses and routes.usable(link)
    ]


def hot_addresses() -> list[AddressView]:
    """Where the operator sends coins to fund the hot wallet, one a network; what arrives is the house's capital."""
    rows = Address.objects.filter(purpose=Address.Purpose.HOT, branch=0, xpub__retired_at=None).order_by("network_id")
    codes = routes.codes()
    shown = [row for row in rows if codes[row.network_id] in routes.configured()]
    return [records.address_view(row, routes.of(codes[row.network_id]).own_coin) for row in shown]


def deposits(
    user_id: int,
    *,
    before: UUID | None = None,
    limit: int = 50,
    asset: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[DepositView]:
    """The customer's deposits, newest first: seen at `since` or later and before `until`; `before` is the last id of the page
    before."""
    rows = _within(Deposit.objects.filter(owner_id=user_id), "seen_at", since, until)
    return _deposit_views(_page(rows, before=before, limit=limit, asset=asset))


def pending(user_id: int) -> list[DepositView]:
    """Deposits on their way: seen in the mempool, waiting for confirmations, or held."""
    states = (Deposit.State.SEEN, Deposit.State.CONFIRMING, Deposit.State.HELD)
    rows = Deposit.objects.filter(owner_id=user_id, state__in=states)
    return _deposit_views(_page(rows, before=None, limit=PAGE_MAX, asset=None))


def held_deposits() -> dict[int, int]:
    """What is owed to customers and stands on none of their accounts: confirmed deposits that are held, by asset, as booked."""
    return ledger.labelled(Kind.SUSPENSE, books.HELD_DEPOSITS)


def deposit(user_id: int, deposit_id: UUID) -> DepositView:
    """One deposit of the customer's. Raises DepositNotFound."""
    views = _deposit_views(Deposit.objects.filter(owner_id=user_id, id=deposit_id))
    if not views:
        raise DepositNotFound("There is no such deposit.")
    return views[0]


def withdrawals(
    user_id: int,
    *,
    before: UUID | None = None,
    limit: int = 50,
    asset: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[WithdrawalView]:
    """The customer's withdrawals, newest first: asked for at `since` or later and before `until`; `before` is the last id of the
    page before."""
    rows = _within(Withdrawal.objects.filter(owner_id=user_id), "requested_at", since, until)
    return _withdrawal_views(_page(rows, before=before, limit=limit, asset=asset))


def has_withdrawal_under_way(user_id: int) -> bool:
    """Whether one of the customer's has not ended. One query."""
    return Withdrawal.objects.filter(owner_id=user_id).exclude(state__in=lifecycle.CLOSED).exists()


def withdrawal(user_id: int, withdrawal_id: UUID) -> WithdrawalView:
    """One withdrawal of the customer's. Raises WithdrawalNotFound."""
    views = _withdrawal_views(Withdrawal.objects.filter(owner_id=user_id, id=withdrawal_id))
    if not views:
        raise WithdrawalNotFound("There is no such withdrawal.")
    return views[0]


def terms(*, asset: str | None = None) -> list[WithdrawalTerms]:
    """What a withdrawal costs and needs, for each asset and network."""
    return [
        WithdrawalTerms(
            asset=link.asset_code,
            network=link.network,
            decimals=link.decimals,
            minimum=link.min_withdrawal,
            fee=link.withdrawal_fee,
            confirmations=link.confirmations,
            enabled=routes.usable(link),
        )
        for link in assets.asset_networks(asset=asset, enabled_only=False)
    ]


def networks() -> list[NetworkHealthView]:
    """How every network's node and scanner do, of those that have a node. Four queries."""
    sources = _grouped(Source.objects.order_by("name"), "network_id")
    cursors = {cursor.network_id: cursor for cursor in Cursor.objects.all()}
    healths = {health.network_id: health for health in Health.objects.all()}
    return [
        records.health_view(
            code,
            healths.get(network_id),
            scanned_height=cursors[network_id].height if network_id in cursors else None,
            halted=cursors[network_id].halted if network_id in cursors else "",
            sources=sources.get(network_id, ()),
        )
        for network_id, code in routes.codes().items()
        if code in routes.configured()
    ]


def network(code: str) -> NetworkHealthView:
    """How one network's node and scanner do. Raises NetworkNotFound."""
    view = next((view for view in networks() if view.network == code), None)
    if view is None:
        raise assets.NetworkNotFound("There is no such network.", param="network")
    return view


def _page(rows: QuerySet[Any], *, before: UUID | None, limit: int, asset: str | None) -> QuerySet[Any]:
    if asset is not None:
        rows = rows.filter(asset_id=assets.asset(asset).id)
    if before is not None:
        rows = rows.filter(id__lt=before)
    return rows.order_by("-id")[: max(1, min(limit, PAGE_MAX))]


def _within(rows: QuerySet[Any], field: str, since: datetime | None, until: datetime | None) -> QuerySet[Any]:
    if since is not None:
        rows = rows.filter(**{f"{field}__gte": since})
    return rows if until is None else rows.filter(**{f"{field}__lt": until})


def _links() -> dict[tuple[int, int], AssetNetworkView]:
    return {(link.asset_id, link.network_id): link for link in assets.asset_networks(enabled_only=False)}


def _scanned() -> dict[int, int]:
    return dict(Cursor.objects.values_list("network_id", "height"))


def _deposit_views(rows: QuerySet[Deposit]) -> list[DepositView]:
    links, scanned = _links(), _scanned()
    by_id = {network.id: network for network in assets.networks()}
    return [
        records.deposit_view(
            row,
            links[(row.asset_id, row.network_id)],
            scanned_height=scanned.get(row.network_id),
            network=by_id[row.network_id],
        )
        for row in rows.select_related("address")
    ]


def _withdrawal_views(rows: QuerySet[Withdrawal]) -> list[WithdrawalView]:
    """Five queries, whatever the number of rows."""
    found = list(rows.select_related("payout", "confirmation"))
    links, scanned = _links(), _scanned()
    by_id = {network.id: network for network in assets.networks()}
    steps = _grouped(WithdrawalStep.objects.filter(withdrawal__in=found).order_by("id"), "withdrawal_id")
    payout_ids = [row.payout_id for row in found if row.payout_id]
    versions = _grouped(PayoutVersion.objects.filter(payout_id__in=payout_ids).order_by("number"), "payout_id")
    return [
        records.withdrawal_view(
            row,
            links[(row.asset_id, row.network_id)],
            steps=steps.get(row.id, ()),
            versions=versions.get(row.payout_id, ()),
            scanned_height=scanned.get(row.network_id),
            network=by_id[row.network_id],
        )
        for row in found
    ]


def _grouped(rows: Iterable[Any], name: str) -> dict[Any, Sequence[Any]]:
    groups: dict[Any, list[Any]] = defaultdict(list)
    for row in rows:
        groups[getattr(row, name)].append(row)
    return dict(groups)
