"""How an asset moves over a network: what set-up and staff may change.

What must never happen here: a contract that is taken over unchecked, or one that changes once deposits may be on the way to
the old one without anybody having said so (`replace`).
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import transaction

from exchange.assets import selectors
from exchange.assets.models import AssetNetwork
from exchange.audit import services as audit
from exchange.core.errors import Conflict, InvalidRequest
from wallets.chains import protocol, registry


class ContractInvalid(InvalidRequest):
    code = "contract_invalid"


class ContractSet(Conflict):
    """Another contract is set already; replacing it must be said."""

    code = "contract_set"


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
