"""Which family serves which network: the one place that knows all of them.

What must never happen here: a network that is guessed. A name that is not in the table is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wallets.chains.evm.rules import EvmRules
from wallets.chains.protocol import Chain, ChainError
from wallets.chains.utxo.parameters import parameters
from wallets.chains.utxo.rules import UtxoRules

if TYPE_CHECKING:
    from wallets.chains.evm.chain import EvmChain
    from wallets.chains.utxo.chain import UtxoChain

FAMILIES = {"bitcoin": "utxo", "litecoin": "utxo", "ethereum": "evm"}


class NotConfigured(ChainError):
    """The network's node or parameters are not set."""

    code = "chain_not_configured"


def connect(
    name: str, *, url: str = "", network: str = "", chain_id: int = 0, timeout_s: float = 30
) -> UtxoChain | EvmChain:
    """One network's chain, from one row of `settings.CHAINS`. Asks nothing yet. Raises NotConfigured."""
    if not url:
        raise NotConfigured(f"no node is configured for {name}")
    # Only here: the signer asks for rules alone, and must not load what speaks to a network.
    from wallets.chains.evm.chain import EvmChain
    from wallets.chains.utxo.chain import UtxoChain

    made: UtxoChain | EvmChain
    if _family(name) == "utxo":
        made = UtxoChain(url=url, parameters=parameters(name, network), timeout_s=timeout_s)
    else:
        made = EvmChain(name=name, url=url, chain_id=_chain_id(name, chain_id), timeout_s=timeout_s)
    # The type checker holds every family to the one Protocol here.
    _: Chain = made
    return made


def rules(name: str, *, network: str = "", chain_id: int = 0, url: str = "") -> UtxoRules | EvmRules:
    """One network's offline half; takes the same row of settings and ignores the node's URL. Raises NotConfigured."""
    if _family(name) == "utxo":
        return UtxoRules(parameters(name, network))
    return EvmRules(name, _chain_id(name, chain_id))


def _family(name: str) -> str:
    family = FAMILIES.get(name)
    if family is None:
        raise NotConfigured(f"there is no network {name}; there are: {', '.join(FAMILIES)}")
    return family


def _chain_id(name: str, chain_id: int) -> int:
    if chain_id <= 0:
        raise NotConfigured(f"{name} has no chain id")
    return chain_id
