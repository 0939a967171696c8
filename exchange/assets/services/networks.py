"""Networks, and how an asset moves over them: what set-up and staff may change.

A network is configuration first (`settings.CHAINS` says how to reach it), then rows here. What must never happen here: a
network without a node offered, a contract that is taken over unchecked, or one that changes once deposits may be on the way to
the old one without anybody having said so (`replace`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from exchange.assets import selectors
from exchange.assets.models import Asset, AssetNetwork, Network
from exchange.audit import services as audit
from exchange.core.errors import Conflict, InvalidRequest
from wallets.chains import protocol, registry


class ContractInvalid(InvalidRequest):
    code = "contract_invalid"


class ContractSet(Conflict):
    """Another contract is set already; replacing it must be said."""

    code = "contract_set"


class NetworkUnknown(InvalidRequest):
    """No row of `settings.CHAINS` names it, or it has no node."""

    code = "network_not_configured"


class NetworkTaken(Conflict):
    """Another network, or another asset, has this id, code or name."""

    code = "network_taken"


class DigitsMismatch(InvalidRequest):
    """The contract says another number of digits than we have."""

    code = "contract_decimals"


@dataclass(frozen=True, slots=True)
class OwnCoin:
    """The coin in which a new network takes its fees. An existing asset's code takes that asset (ether on another chain)."""

    code: str
    name: str = ""
    asset_id: int = 0
    decimals: int = 18


@dataclass(frozen=True, slots=True)
class Terms:
    """How an asset moves over a network; base units of the asset."""

    confirmations: int
    min_deposit: int
    min_withdrawal: int
    withdrawal_fee: int
    sweep_minimum: int | None = None


def add_network(
    *,
    code: str,
    name: str = "",
    own_coin: OwnCoin | None = None,
    standard: str = "",
    block_seconds: int = 12,
    terms: Terms | None = None,
    actor_id: int | None = None,
    now: datetime,
) -> selectors.NetworkView:
    """Switches on an EVM network that `settings.CHAINS` has a node of; makes its rows where they are not seeded. Safe to repeat.

    Raises NetworkUnknown, NetworkTaken.
    """
    row = settings.CHAINS.get(code, {})
    if row.get("family") != "evm" or not row.get("url"):
        raise NetworkUnknown(
            f"{code} has no node here: name it in EVM_NETWORKS if it is new, and set {code.upper()}_RPC_URL.",
            param="network",
        )
    with transaction.atomic():
        network = Network.objects.filter(code=code).first() or _new_network(
            row, code, name, own_coin, standard, block_seconds
        )
        if network.id != row["id"]:
            raise NetworkTaken(f"{code} has the id {network.id} here, not {row['id']}.", param="network")
        link = AssetNetwork.objects.filter(network=network, asset_id=network.own_coin_id).first() or _new_link(
            network, network.own_coin, network.own_coin.decimals, "", terms
        )
        Asset.objects.filter(id=network.own_coin_id).update(enabled=True)
        AssetNetwork.objects.filter(id=link.id).update(enabled=True)
        audit.record(
            actor_id=actor_id,
            action="network.add",
            subject=f"network:{network.id}",
            after={"code": code, "own_coin": network.own_coin.code, "chain_id": str(row.get("chain_id"))},
            now=now,
        )
    return selectors.network(code)


def _new_network(
    row: dict[str, Any], code: str, name: str, own_coin: OwnCoin | None, standard: str, block_seconds: int
) -> Network:
    if own_coin is None or not name:
        raise InvalidRequest("A new network needs a name and its own coin.", param="network")
    if Network.objects.filter(id=row["id"]).exists():
        raise NetworkTaken(f"The network id {row['id']} is taken.", param="network")
    return Network.objects.create(
        id=row["id"],
        code=code,
        name=name,
        family="evm",
        block_seconds=block_seconds,
        own_coin=_coin(own_coin),
        standard=standard or f"ERC20 ({name})"[:24],
    )


def _coin(coin: OwnCoin) -> Asset:
    known = Asset.objects.filter(code=coin.code).first()
    if known is not None:
        return known
    if coin.asset_id <= 0 or Asset.objects.filter(id=coin.asset_id).exists():
        raise NetworkTaken(f"{coin.code} is new here: give it an asset id that is free.", param="asset")
    return Asset.objects.create(
        id=coin.asset_id,
        code=coin.code,
        name=coin.name or coin.code,
        kind=Asset.Kind.CRYPTO,
        decimals=coin.decimals,
        display_decimals=min(8, coin.decimals),
        position=coin.asset_id * 10,
    )


def add_token(
    *, asset: str, network: str, contract: str, decimals: int, terms: Terms, actor_id: int | None = None, now: datetime
) -> selectors.AssetNetworkView:
    """Lists an asset over one more EVM network, by a contract of `decimals` digits there. Raises ContractInvalid, Conflict."""
    where, what = selectors.network(network), selectors.asset(asset)
    if where.family != "evm":
        raise ContractInvalid(f"{network} has no contracts.", param="contract")
    checked = _checked(network, contract)
    with transaction.atomic():
        if AssetNetwork.objects.filter(asset_id=what.id, network_id=where.id).exists():
            raise ContractSet(f"{asset} moves over {network} already; see set_contract.", param="asset")
        link = _new_link(Network.objects.get(id=where.id), Asset.objects.get(id=what.id), decimals, checked, terms)
        audit.record(
            actor_id=actor_id,
            action="asset_network.add",
            subject=f"asset_network:{link.id}",
            after={"asset": asset, "network": network, "contract": checked, "decimals": decimals},
            now=now,
        )
    return selectors.asset_network(asset=asset, network=network)


def _new_link(network: Network, asset: Asset, decimals: int, contract: str, terms: Terms | None) -> AssetNetwork:
    if terms is None:
        raise InvalidRequest("A new network needs the terms of its own coin.", param="network")
    return AssetNetwork.objects.create(
        asset=asset,
        network=network,
        contract=contract,
        decimals=decimals,
        confirmations=terms.confirmations,
        min_deposit=terms.min_deposit,
        min_withdrawal=terms.min_withdrawal,
        withdrawal_fee=terms.withdrawal_fee,
        sweep_minimum=terms.sweep_minimum,
    )


def switch_on(*, asset: str, network: str, actor_id: int | None = None, now: datetime) -> selectors.AssetNetworkView:
    """Offers an asset over a network that it is listed on. Raises NetworkUnknown where there is no node of it."""
    link = selectors.asset_network(asset=asset, network=network)
    if not selectors.configured(network):
        raise NetworkUnknown(f"{network} has no node here: set {network.upper()}_RPC_URL.", param="network")
    with transaction.atomic():
        AssetNetwork.objects.filter(id=link.id).update(enabled=True)
        Asset.objects.filter(id=link.asset_id).update(enabled=True)
        audit.record(
            actor_id=actor_id,
            action="asset_network.switch_on",
            subject=f"asset_network:{link.id}",
            before={"enabled": link.enabled},
            after={"enabled": True},
            now=now,
        )
    return selectors.asset_network(asset=asset, network=network)


def check_digits(*, network: str, contract: str, decimals: int) -> None:
    """Asks the node whether the contract has this many digits. Raises DigitsMismatch, ContractInvalid, ChainError."""
    chain = registry.connect(network, **settings.CHAINS[network])
    told = chain.token_decimals(_checked(network, contract))  # type: ignore[union-attr]
    if told != decimals:
        raise DigitsMismatch(f"The contract has {told} digits on {network}, not {decimals}.", param="contract")


def set_contract(
    *, asset: str, network: str, contract: str, replace: bool = False, actor_id: int | None = None, now: datetime
) -> selectors.AssetNetworkView:
    """Names the token contract that an asset is on an EVM network, checksummed. Saying the same again changes nothing."""
    link = selectors.asset_network(asset=asset, network=network)
    if link.family != "evm":
        raise ContractInvalid(f"{network} has no contracts.", param="contract")
    contract = _checked(network, contract)
    with transaction.atomic():
        row = AssetNetwork.objects.select_for_update().get(id=link.id)
        if row.contract == contract:
            return link
        if row.contract and not replace:
            raise ContractSet(f"{asset} on {network} is {row.contract}; say --replace to change it.", param="contract")
        audit.record(
            actor_id=actor_id,
            action="asset_network.set_contract",
            subject=f"asset_network:{row.id}",
            before={"contract": row.contract},
            after={"contract": contract},
            now=now,
        )
        row.contract = contract
        row.save(update_fields=["contract"])
    return selectors.asset_network(asset=asset, network=network)


def _checked(network: str, contract: str) -> str:
    try:
        return registry.rules(network, **settings.CHAINS[network]).parse(contract).text
    except protocol.ChainError:
        raise ContractInvalid(
            "A contract is 0x and 40 hexadecimal digits, with a right checksum where letters are mixed.",
            param="contract",
        ) from None
