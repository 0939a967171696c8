"""Which family serves which network: the one place that knows all of them.

A network is told by its row of `settings.CHAINS`, not by its name, so that another chain is configuration. What must never
happen here: a family that is guessed. A row that says neither a UTXO network nor a chain id is refused.
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
    from wallets.chains.utxo.esplora import EsploraChain

KINDS = ("node", "esplora")


class NotConfigured(ChainError):
    """The network's node or parameters are not set."""

    code = "chain_not_configured"


def connect(
    name: str,
    *,
    url: str = "",
    kind: str = "node",
    header: str = "",
    second_url: str = "",
    second_kind: str = "node",
    second_header: str = "",
    family: str = "",
    network: str = "",
    chain_id: int = 0,
    legacy_fees: bool = False,
    trace: bool = False,
    id: int = 0,
    timeout_s: float = 30,
) -> UtxoChain | EsploraChain | EvmChain:
    """One network's chain, from one row of `settings.CHAINS`. Asks nothing yet. Raises NotConfigured.

    The id and the second source are of no concern here: `second` connects to that one.
    """
    if not url:
        raise NotConfigured(f"no node is configured for {name}")
    # Only here: the signer asks for rules alone, and must not load what speaks to a network.
    from wallets.chains.evm.chain import EvmChain
    from wallets.chains.utxo.chain import UtxoChain
    from wallets.chains.utxo.esplora import EsploraChain

    made: UtxoChain | EsploraChain | EvmChain
    if _family(name, family, network, chain_id) == "evm":
        if kind != "node":
            raise NotConfigured(f"{name}: an EVM chain is asked by JSON-RPC, not by {kind}")
        made = EvmChain(
            name=name,
            url=url,
            chain_id=chain_id,
            legacy_fees=legacy_fees,
            trace=trace,
            header=header,
            timeout_s=timeout_s,
        )
    elif kind == "node":
        made = UtxoChain(url=url, parameters=parameters(name, network), timeout_s=timeout_s)
    elif kind == "esplora":
        made = EsploraChain(url=url, parameters=parameters(name, network), header=header, timeout_s=timeout_s)
    else:
        raise NotConfigured(f"{name}: there is no kind of source {kind}; there are: {', '.join(KINDS)}")
    # The type checker holds every family to the one Protocol here.
    _: Chain = made
    return made


def second(
    name: str,
    *,
    second_url: str = "",
    second_kind: str = "node",
    second_header: str = "",
    url: str = "",
    kind: str = "node",
    header: str = "",
    **row: object,
) -> UtxoChain | EsploraChain | EvmChain | None:
    """The source that the first one is compared with, None where the row names none."""
    if not second_url:
        return None
    return connect(name, url=second_url, kind=second_kind, header=second_header, **row)  # type: ignore[arg-type]


def rules(name: str, *, family: str = "", network: str = "", chain_id: int = 0, **_: object) -> UtxoRules | EvmRules:
    """One network's offline half; takes the same row of settings and passes over what says where it is asked.

    Raises NotConfigured.
    """
    if _family(name, family, network, chain_id) == "utxo":
        return UtxoRules(parameters(name, network))
    return EvmRules(name, chain_id)


def _family(name: str, family: str, network: str, chain_id: int) -> str:
    """What the row says, held against what it has: a UTXO network's name or a chain id, never both."""
    has = "utxo" if network and not chain_id else "evm" if chain_id > 0 and not network else ""
    if not has or family not in ("", has):
        raise NotConfigured(
            f"{name} needs the name of its UTXO network or a chain id, and the family that goes with it"
        )
    return has
