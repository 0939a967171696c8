"""What the web side may know of the keys: the extended public keys of each chain's two accounts.

What must never happen here: anything from which a private key follows (a public key leads to its children, never to its parent).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from custody.signers.derivation import account_path
from custody.signers.software import SoftwareSigner
from wallets.chains import registry
from wallets.chains.utxo.rules import UtxoRules

ROLES = {"deposit": 0, "hot": 1}


def document(signer: SoftwareSigner, chains: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The JSON that `manage.py wallets import_xpubs` takes."""
    accounts = []
    for name, row in chains.items():
        rules = registry.rules(name, **row)
        if isinstance(rules, UtxoRules):
            family, coin_type, prefix = "utxo", rules.parameters.coin_type, rules.parameters.xpub_prefix
        else:
            family, coin_type, prefix = "evm", 60, "xpub"
        for role, number in ROLES.items():
            path = account_path(family=family, coin_type=coin_type, account=number)
            accounts.append({"network": name, "role": role, "path": path, "xpub": signer.account(path).text(prefix)})
    return {
        "version": 1,
        "fingerprint": signer.fingerprint,
        "chains": {name: row.get("network") or row.get("chain_id") for name, row in chains.items()},
        "accounts": accounts,
    }
