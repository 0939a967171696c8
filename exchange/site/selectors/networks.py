"""The networks that coins can move over now."""

from __future__ import annotations

from exchange.assets import selectors as assets


def usable() -> list[assets.NetworkView]:
    """Those that some asset is switched on for. Two queries."""
    moving = {link.network_id for link in assets.asset_networks()}
    return [network for network in assets.networks() if network.id in moving]
