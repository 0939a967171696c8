"""Registers the public halves of the keystore's accounts, and the hot wallet's own addresses.

What must never happen here: a private key accepted, an xpub of another chain registered, or an old xpub forgotten
(it is retired: no new address comes from it, and every old one stays watched).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from exchange.assets import selectors as assets
from exchange.audit import services as audit
from exchange.core.errors import InvalidRequest
from wallets import nodes
from wallets.models import Address, Xpub
from wallets.services import addresses

# Where a UTXO hot wallet's own change goes, below its account.
CHANGE_BRANCH = 1
PRIVATE_PREFIXES = ("xprv", "tprv", "yprv", "zprv", "uprv", "vprv", "Ltpv", "Mtpv")


class DocumentInvalid(InvalidRequest):
    code = "xpubs_invalid"


def import_file(*, document: dict[str, Any], now: datetime) -> list[str]:
    """Registers every account of `manage.py custody show`'s public JSON; a line of text for each. Safe to repeat."""
    if document.get("version") != 1 or not isinstance(document.get("accounts"), list):
        raise DocumentInvalid("This is not a version 1 file of public keys.")
    _same_chains(document.get("chains", {}))
    with transaction.atomic():
        lines = [_register(account, now=now) for account in document["accounts"]]
        audit.record(
            actor_id=None,
            action="wallets.import_xpubs",
            subject=f"keystore:{document.get('fingerprint', '')}",
            after={"accounts": [f"{a['network']} {a['role']} {a['path']}" for a in document["accounts"]]},
            now=now,
        )
    return lines


def _same_chains(chains: dict[str, Any]) -> None:
    for network, configured in settings.CHAINS.items():
        ours = configured.get("network", configured.get("chain_id"))
        theirs = chains.get(network)
        if theirs is not None and theirs != ours:
            raise DocumentInvalid(f"The keys are for {network} {theirs}, this installation runs {network} {ours}.")


def _register(account: dict[str, Any], *, now: datetime) -> str:
    network = assets.network(str(account.get("network")))
    purpose, path, text = (str(account.get(name, "")) for name in ("role", "path", "xpub"))
    if not network.configured:
        return f"{network.code} {purpose} {path} left out: no node of {network.code} is configured"
    if purpose not in Xpub.Purpose.values or not path.startswith("m/"):
        raise DocumentInvalid(f"The account {purpose!r} of {network.code} has no known role or path.")
    if text.startswith(PRIVATE_PREFIXES):
        raise DocumentInvalid(
            "A private key is in this file. Remove it from this machine: only public keys belong here."
        )
    xpub = Xpub.objects.filter(network_id=network.id, xpub=text).first()
    if xpub is not None:
        return f"{network.code} {purpose} {path} stands already"
    Xpub.objects.filter(network_id=network.id, purpose=purpose, retired_at=None).update(retired_at=now)
    xpub = Xpub.objects.create(network_id=network.id, purpose=purpose, xpub=text, path=path, created_at=now)
    if purpose == Xpub.Purpose.HOT:
        _make_hot_addresses(xpub, network=network.code, family=network.family, now=now)
    else:
        nodes.rules(network.code).derive(text, index=0)  # refuses what is no xpub of this chain
        addresses.catch_up(xpub_id=xpub.pk)
    return f"{network.code} {purpose} {path} registered"


def _make_hot_addresses(xpub: Xpub, *, network: str, family: str, now: datetime) -> None:
    branches = (0, CHANGE_BRANCH) if family == "utxo" else (0,)
    for branch in branches:
        derived = nodes.rules(network).derive(xpub.xpub, index=0, change=branch)
        Address.objects.create(
            network_id=xpub.network_id,
            address=derived.text,
            script=derived.key,
            purpose=Address.Purpose.HOT,
            xpub=xpub,
            branch=branch,
            index=0,
            created_at=now,
        )
    xpub.next_index = 1
    xpub.save(update_fields=["next_index"])
