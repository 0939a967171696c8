"""What the web side may know of the keys: the extended public keys of each chain's accounts.

What must never happen here: anything from which a private key follows (a public key leads to its children, never to its parent).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from custody.accounts import DEPOSIT, Accounts
from custody.signers.derivation import account_path
from custody.signers.software import SoftwareSigner
from wallets.chains import registry
from wallets.chains.utxo.rules import UtxoRules


def document(signer: SoftwareSigner, chains: Mapping[str, Mapping[str, Any]], accounts: Accounts) -> dict[str, Any]:
    """The JSON that `manage.py wallets import_xpubs` takes. Hot accounts stand oldest first: the last one is used."""
    rows = []
    for name, row in chains.items():
        rules = registry.rules(name, **row)
        if isinstance(rules, UtxoRules):
            family, coin_type, prefix = "utxo", rules.parameters.coin_type, rules.parameters.xpub_prefix
        else:
            family, coin_type, prefix = "evm", 60, "xpub"
        for role, numbers in (("deposit", (DEPOSIT,)), ("hot", accounts.hot(name))):
            for number in numbers:
                path = account_path(family=family, coin_type=coin_type, account=number)
                rows.append({"network": name, "role": role, "path": path, "xpub": signer.account(path).text(prefix)})
    return {
        "version": 1,
        "fingerprint": signer.fingerprint,
        "chains": {name: row.get("network") or row.get("chain_id") for name, row in chains.items()},
        "accounts": rows,
    }


def first_addresses(signer: SoftwareSigner, chains: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The first deposit address of each network, for people to compare."""
    found = {}
    for account in document(signer, chains, Accounts())["accounts"]:
        if account["role"] == "deposit":
            rules = registry.rules(account["network"], **chains[account["network"]])
            found[account["network"]] = rules.derive(account["xpub"], index=0).text
    return found
