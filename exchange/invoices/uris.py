"""What a payer's wallet scans: BIP-21 for Bitcoin and its kin, EIP-681 for Ethereum and its tokens.

What must never happen here: an amount in another unit than the scheme says (whole coins in BIP-21, base units in EIP-681).
"""

from __future__ import annotations

from django.conf import settings

from exchange.assets import selectors as assets
from exchange.core import amounts


def payment(
    *,
    asset: str,
    network: str,
    address: str,
    amount: int,
    decimals: int,
    link: assets.AssetNetworkView | None = None,
) -> str:
    """The payment URI of an amount in base units to an address. Reads how the asset moves there, unless `link` says it."""
    link = link or assets.asset_network(asset=asset, network=network)
    if link.family == "utxo":
        return f"{network}:{address}?amount={amounts.format(amount, decimals=decimals)}"
    chain_id = settings.CHAINS[network]["chain_id"]
    if link.contract:
        return f"ethereum:{link.contract}@{chain_id}/transfer?address={address}&uint256={amount}"
    return f"ethereum:{address}@{chain_id}?value={amount}"
