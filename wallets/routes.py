"""Which asset moves over which network, as this room needs it: by id, by contract, the chain's own coin.

What must never happen here: a token credited by its symbol (only its contract counts), or a token whose contract is not
set yet taken for the chain's own coin.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from exchange.assets import selectors as assets
from exchange.assets.selectors import AssetNetworkView, NetworkView


@dataclass(frozen=True, slots=True)
class Routes:
    """The assets of one network."""

    network: NetworkView
    links: tuple[AssetNetworkView, ...]

    @property
    def own_coin(self) -> AssetNetworkView:
        """The coin in which the chain takes its fees. A token's empty contract (not deployed yet) is not read as this."""
        return next(link for link in self.links if link.is_own_coin)

    def by_contract(self, contract: str) -> AssetNetworkView | None:
        """The asset of this token contract ("" for the chain's own coin), or None for one we do not know."""
        if not contract:
            return self.own_coin
        return next((link for link in self.links if link.contract == contract), None)

    def by_asset(self, asset_id: int) -> AssetNetworkView:
        return next(link for link in self.links if link.asset_id == asset_id)


def of(network: str) -> Routes:
    """Two queries."""
    return Routes(
        network=assets.network(network),
        links=tuple(assets.asset_networks(network=network, enabled_only=False)),
    )


def usable(link: AssetNetworkView) -> bool:
    """Switched on, on a network that we have a node of, and, for a token, with its contract known."""
    return link.enabled and (link.is_own_coin or bool(link.contract))


def codes() -> dict[int, str]:
    """Every network's code by id, those without a node included: history is of all of them. One query."""
    return {network.id: network.code for network in assets.networks()}


def configured() -> tuple[str, ...]:
    """The networks that we have a node of. Asks nothing."""
    return tuple(name for name, row in settings.CHAINS.items() if row.get("url"))
