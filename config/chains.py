"""Which chains this installation knows, read from the environment: one row a network, the same for the web side and the signer.

`id` is the network's row in the database and never changes. A network whose node is not named is not scanned and shown to nobody.
Another EVM chain is a word in EVM_NETWORKS ("base:8453:8": name, chain id, network id) and
`manage.py assets add_network`.
What must never happen here: a node's URL (it may hold a key) in the signer's settings or in an error.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config.environment import env, read_secret

Row = dict[str, Any]
UTXO_IDS = {"bitcoin": 1, "litecoin": 2}
# name: (network id, chain id, whether its validators want a plain gas price)
EVM_CHAINS = {
    "ethereum": (3, 1, False),
    "bsc": (4, 56, True),
    "polygon": (5, 137, False),
    "avalanche": (6, 43114, False),
    "fantom": (7, 250, False),
}
REGTEST_CHAIN_ID = 31337


def rows(*, regtest: bool = False, nodes: bool = True) -> dict[str, Row]:
    """Every network by name. `regtest`: what a developer's machine runs unless told otherwise; `nodes` False: no URL at all."""
    found = {name: _utxo(name, id_, regtest=regtest, nodes=nodes) for name, id_ in UTXO_IDS.items()}
    for name, (id_, chain_id, legacy) in _evm_chains().items():
        private = regtest and name == "ethereum"
        found[name] = _evm(
            name, id_, REGTEST_CHAIN_ID if private else chain_id, legacy=legacy, trace=private, nodes=nodes
        )
    return found


def _utxo(name: str, id_: int, *, regtest: bool, nodes: bool) -> Row:
    network = "regtest" if regtest else env.str(f"{name.upper()}_NETWORK", "mainnet")
    return {"id": id_, "family": "utxo", "network": network, **(_sources(name) if nodes else {})}


def _evm(name: str, id_: int, chain_id: int, *, legacy: bool, trace: bool, nodes: bool) -> Row:
    upper = name.upper()
    row: Row = {"id": id_, "family": "evm", "chain_id": env.int(f"{upper}_CHAIN_ID", chain_id)}
    if nodes:
        row |= _sources(name)
        row["legacy_fees"] = env.bool(f"{upper}_LEGACY_FEES", legacy)
        row["trace"] = env.bool(f"{upper}_TRACE", trace)
    return row


def _sources(name: str) -> Row:
    """Where the network is asked, and where else. `kind` is "node" (JSON-RPC) or "esplora" (a hosted REST service).

    `header` is "Name: value", for a service that takes its key so.
    """
    upper = name.upper()
    return {
        "url": read_secret(f"{upper}_RPC_URL"),
        "header": read_secret(f"{upper}_RPC_HEADER"),
        "kind": env.str(f"{upper}_KIND", "node"),
        "second_url": read_secret(f"{upper}_RPC_URL_2"),
        "second_header": read_secret(f"{upper}_RPC_HEADER_2"),
        "second_kind": env.str(f"{upper}_KIND_2", "node"),
    }


def _evm_chains() -> dict[str, tuple[int, int, bool]]:
    chains = dict(EVM_CHAINS)
    for word in env.list("EVM_NETWORKS", default=[]):
        name, chain_id, id_ = _further(word)
        taken = {*UTXO_IDS.values(), *(row[0] for row in chains.values())}
        if name in chains or name in UTXO_IDS or id_ in taken:
            raise ImproperlyConfigured(f"EVM_NETWORKS: {word}: this name or network id is taken.")
        chains[name] = (id_, chain_id, False)
    return chains


def _further(word: str) -> tuple[str, int, int]:
    name, *numbers = word.strip().split(":")
    good = name.isascii() and name.isalnum() and name == name.lower() and len(name) <= 20
    if not good or len(numbers) != 2 or not all(number.isascii() and number.isdecimal() for number in numbers):
        raise ImproperlyConfigured(f"EVM_NETWORKS: {word!r} is not name:chain_id:network_id, as in base:8453:8.")
    chain_id, id_ = map(int, numbers)
    if not chain_id or not 0 < id_ < 2**15:
        raise ImproperlyConfigured(f"EVM_NETWORKS: {word!r} has no sensible chain id or network id.")
    return name, chain_id, id_
