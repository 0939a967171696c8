"""What can be held and how it moves: the one place other rooms read it from.

What must never happen here: a model leaves the room, or a number of decimals is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from exchange.assets.models import Asset, AssetNetwork, Network
from exchange.core.amounts import AmountPrecision
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


# Chains that live on one machine: no public explorer knows their blocks.
PRIVATE_CHAINS = ("regtest", 31337, 1337)


@dataclass(frozen=True, slots=True)
class NetworkView:
    """A chain; its explorers' pages have {txid}, {address} or {block} in them, or are empty. `configured`: we have a node.

    `finalized`: a deposit is credited when the network calls its block final, not after a number of blocks.
    """

    id: int
    code: str
    name: str
    family: str
    block_seconds: int
    explorer: str
    explorer_address: str
    explorer_block: str
    own_coin_id: int
    own_coin: str
    standard: str
    configured: bool
    finalized: bool = False


@dataclass(frozen=True, slots=True)
class Tier:
    """From this many base units on, a deposit waits for this many blocks."""

    from_amount: int
    confirmations: int


@dataclass(frozen=True, slots=True)
class AssetNetworkView:
    """An asset over one chain. Amounts are the asset's own base units; `contract` is empty for the chain's own coin.

    `decimals` are the asset's, in which the ledger counts; `chain_decimals` those of its token on this chain, which may be more
    (Tether has 6 on Ethereum and 18 on BNB Smart Chain) or fewer. `enabled` is False as well where we have no node.
    `standard` is shown beside a token's network ("BEP20"), "" for the chain's own coin. With `finalized`, deposits wait for the
    network's own word that a block is final, and no number of blocks is counted.
    """

    id: int
    asset_id: int
    asset_code: str
    network_id: int
    network: str
    family: str
    contract: str
    decimals: int
    confirmations: int
    min_deposit: int
    min_withdrawal: int
    withdrawal_fee: int
    enabled: bool
    network_name: str = ""
    standard: str = ""
    is_own_coin: bool = False
    chain_decimals: int = -1
    sweep_minimum: int | None = None
    fee_on_transfer: bool = False
    tiers: tuple[Tier, ...] = ()
    finalized: bool = False

    def from_chain(self, amount: int) -> int:
        """Units of the chain in the asset's base units. What is smaller than one of these is nobody's and stays where it is."""
        shift = self.decimals - self._chain_decimals
        return amount * 10**shift if shift >= 0 else amount // 10**-shift

    def to_chain(self, amount: int) -> int:
        """Base units in units of the chain. Raises AmountPrecision where the chain has too few digits for them."""
        shift = self._chain_decimals - self.decimals
        if shift >= 0:
            return amount * 10**shift
        whole, rest = divmod(amount, 10**-shift)
        if rest:
            raise AmountPrecision(
                f"{self.asset_code} over {self.network} has at most {self._chain_decimals} digits after the point.",
                param="amount",
            )
        return whole

    @property
    def _chain_decimals(self) -> int:
        return self.decimals if self.chain_decimals < 0 else self.chain_decimals

    @property
    def depths(self) -> list[int]:
        """Every number of confirmations that a deposit may need, ascending."""
        return sorted({self.confirmations, *(tier.confirmations for tier in self.tiers)})

    def confirmations_for(self, amount: int) -> int:
        """Blocks before a deposit of this many base units is credited: more for a large one."""
        return max([self.confirmations, *(tier.confirmations for tier in self.tiers if amount >= tier.from_amount)])


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
    """Every chain, those without a node included. One query."""
    return [_network(row) for row in Network.objects.select_related("own_coin")]


def network(code: str) -> NetworkView:
    """The chain of this code; NetworkNotFound names the parameter `network`."""
    row = Network.objects.select_related("own_coin").filter(code=code).first()
    if row is None:
        raise NetworkNotFound("There is no such network.", param="network")
    return _network(row)


def asset_networks(
    *, asset: str | None = None, network: str | None = None, enabled_only: bool = True
) -> list[AssetNetworkView]:
    """How assets move, by asset or network code. With `enabled_only`, asset and link must both be on and the network have a node.

    Two queries.
    """
    rows = AssetNetwork.objects.select_related("asset", "network").prefetch_related("tiers")
    if asset is not None:
        rows = rows.filter(asset__code=asset)
    if network is not None:
        rows = rows.filter(network__code=network)
    if enabled_only:
        rows = rows.filter(enabled=True, asset__enabled=True)
    links = [_link(row) for row in rows]
    return [link for link in links if link.enabled] if enabled_only else links


def asset_network(*, asset: str, network: str) -> AssetNetworkView:
    """How this asset moves over this chain, switched off or not. AssetNotFound, or NetworkNotFound where it does not."""
    row = (
        AssetNetwork.objects.select_related("asset", "network")
        .prefetch_related("tiers")
        .filter(asset__code=asset, network__code=network)
        .first()
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


def configured(network: str) -> bool:
    """Whether we have a node of this network. Asks nothing."""
    return bool(settings.CHAINS.get(network, {}).get("url"))


def _public(network: str) -> bool:
    chain = settings.CHAINS.get(network, {})
    return bool(chain) and not {chain.get("network"), chain.get("chain_id")} & set(PRIVATE_CHAINS)


def _finalized(row: Network) -> bool:
    """A chain of one machine has no validators: what its node calls final is a count, and confirmations are counted instead."""
    return row.finalized and (_public(row.code) or settings.PRIVATE_CHAINS_ARE_FINAL)


def _network(row: Network) -> NetworkView:
    public = _public(row.code)
    return NetworkView(
        id=row.id,
        code=row.code,
        name=row.name,
        family=row.family,
        block_seconds=row.block_seconds,
        explorer=row.explorer if public else "",
        explorer_address=row.explorer_address if public else "",
        explorer_block=row.explorer_block if public else "",
        own_coin_id=row.own_coin_id,
        own_coin=row.own_coin.code,
        standard=row.standard,
        configured=configured(row.code),
        finalized=_finalized(row),
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
        decimals=row.asset.decimals,
        confirmations=row.confirmations,
        min_deposit=row.min_deposit,
        min_withdrawal=row.min_withdrawal,
        withdrawal_fee=row.withdrawal_fee,
        enabled=row.enabled and row.asset.enabled and configured(row.network.code),
        network_name=row.network.name,
        standard="" if row.asset_id == row.network.own_coin_id else row.network.standard,
        is_own_coin=row.asset_id == row.network.own_coin_id,
        chain_decimals=row.decimals,
        sweep_minimum=row.sweep_minimum,
        fee_on_transfer=row.fee_on_transfer,
        tiers=tuple(Tier(tier.from_amount, tier.confirmations) for tier in row.tiers.all()),
        finalized=_finalized(row.network),
    )
