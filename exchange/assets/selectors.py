"""What can be held and how it moves: the one place other rooms read it from.

What must never happen here: a model leaves the room, or a number of decimals is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass

from exchange.assets.models import Asset, AssetNetwork, Network
from exchange.core.errors import NotFound


class AssetNotFound(NotFound):
    code = "asset_not_found"


class NetworkNotFound(NotFound):
    code = "network_not_found"


@dataclass(frozen=True, slots=True)
class AssetView:
    """Something with a balance. `decimals` turns base units into whole units; `display_decimals` only shortens text."""

    id: int
    code: str
    name: str
    kind: str
    decimals: int
    display_decimals: int
    enabled: bool


@dataclass(frozen=True, slots=True)
class NetworkView:
    """A chain; `explorer` is a page's address with {txid} in it, or empty."""

    id: int
    code: str
    name: str
    family: str
    block_seconds: int
    explorer: str


@dataclass(frozen=True, slots=True)
class AssetNetworkView:
    """An asset over one chain. Amounts are base units; `contract` is empty for the chain's own coin."""

    id: int
    asset_id: int
    asset_code: str
    network_id: int
    network: str
    family: str
    contract: str
    decimals: int
    confirmations: int
    large_deposit: int | None
    confirmations_large: int
    min_deposit: int
    min_withdrawal: int
    withdrawal_fee: int
    enabled: bool

    def confirmations_for(self, amount: int) -> int:
        """Blocks before a deposit of this many base units is credited: more for a large one."""
        large = self.large_deposit is not None and amount >= self.large_deposit
        return self.confirmations_large if large else self.confirmations


def assets(*, enabled_only: bool = True) -> list[AssetView]:
    """Every asset, in the order of lists. One query."""
    rows = Asset.objects.all()
    return [_asset(row) for row in (rows.filter(enabled=True) if enabled_only else rows)]


def asset(code: str) -> AssetView:
    """The asset of this code, switched off or not; AssetNotFound names the parameter `asset`."""
    row = Asset.objects.filter(code=code).first()
    if row is None:
        raise AssetNotFound("There is no such asset.", param="asset")
    return _asset(row)


def asset_by_id(asset_id: int) -> AssetView:
    """The asset of this id; AssetNotFound names the parameter `asset`."""
    row = Asset.objects.filter(id=asset_id).first()
    if row is None:
        raise AssetNotFound("There is no such asset.", param="asset")
    return _asset(row)


def networks() -> list[NetworkView]:
    """Every chain. One query."""
    return [_network(row) for row in Network.objects.all()]


def network(code: str) -> NetworkView:
    """The chain of this code; NetworkNotFound names the parameter `network`."""
    row = Network.objects.filter(code=code).first()
    if row is None:
        raise NetworkNotFound("There is no such network.", param="network")
    return _network(row)


def asset_networks(
    *, asset: str | None = None, network: str | None = None, enabled_only: bool = True
) -> list[AssetNetworkView]:
    """How assets move, by asset or network code. With `enabled_only`, asset and link must both be on. One query."""
    rows = AssetNetwork.objects.select_related("asset", "network")
    if asset is not None:
        rows = rows.filter(asset__code=asset)
    if network is not None:
        rows = rows.filter(network__code=network)
    if enabled_only:
        rows = rows.filter(enabled=True, asset__enabled=True)
    return [_link(row) for row in rows]


def asset_network(*, asset: str, network: str) -> AssetNetworkView:
    """How this asset moves over this chain, switched off or not. AssetNotFound, or NetworkNotFound where it does not."""
    row = (
        AssetNetwork.objects.select_related("asset", "network").filter(asset__code=asset, network__code=network).first()
    )
    if row is None:
        known = Asset.objects.filter(code=asset).exists()
        if not known:
            raise AssetNotFound("There is no such asset.", param="asset")
        raise NetworkNotFound(f"{asset} does not move over this network.", param="network")
    return _link(row)


def _asset(row: Asset) -> AssetView:
    return AssetView(
        id=row.id,
        code=row.code,
        name=row.name,
        kind=row.kind,
        decimals=row.decimals,
        display_decimals=row.display_decimals,
        enabled=row.enabled,
    )


def _network(row: Network) -> NetworkView:
    return NetworkView(
        id=row.id,
        code=row.code,
        name=row.name,
        family=row.family,
        block_seconds=row.block_seconds,
        explorer=row.explorer,
    )


def _link(row: AssetNetwork) -> AssetNetworkView:
    return AssetNetworkView(
        id=row.id,
        asset_id=row.asset_id,
        asset_code=row.asset.code,
        network_id=row.network_id,
        network=row.network.code,
        family=row.network.family,
        contract=row.contract,
        decimals=row.decimals,
        confirmations=row.confirmations,
        large_deposit=row.large_deposit,
        confirmations_large=row.confirmations_large,
        min_deposit=row.min_deposit,
        min_withdrawal=row.min_withdrawal,
        withdrawal_fee=row.withdrawal_fee,
        enabled=row.enabled and row.asset.enabled,
    )
