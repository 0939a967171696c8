"""What blocks gave our addresses and did not take again, by what the addresses are for.

Our index's word, not the node's. What must never happen here: a coin counted under two purposes, or under none.
"""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet, Sum

from exchange.assets.selectors import AssetNetworkView
from wallets.models import Address, Coin, Movement
from wallets.routes import Routes


def by_purpose(routes: Routes, link: AssetNetworkView) -> dict[str, int]:
    """Base units by "hot", "deposit" and "cold". One query."""
    rows: QuerySet[Any]
    if routes.network.family == "utxo":
        rows = Coin.objects.filter(network_id=link.network_id, block_height__isnull=False, spent_height=None)
        name = "amount"
    else:
        rows = Movement.objects.filter(network_id=link.network_id, asset_id=link.asset_id)
        name = "delta"
    found = rows.values_list("address__purpose").annotate(sum=Sum(name)).order_by()
    return dict.fromkeys(Address.Purpose.values, 0) | {purpose: int(amount) for purpose, amount in found}
