"""Which addresses are the exchange's own hot ones, as its signer's public document proves them (`custody show --public`).

Whoever signs for cold coins has this file from the signer's machine, and its check on paper; the exchange's pages and database
have no say in it. What must never happen here: an address taken for the house's that no hot account of the file leads to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from custody.accounts import HOT_INDEX_MAX
from wallets.chains import bip32, registry
from wallets.chains.protocol import ChainError, MalformedData

FILE_SIZE_MAX = 1_000_000


def check(document: Mapping[str, Any]) -> str:
    """Eighty bits of the document's hash, as groups of four: short enough to be written on paper and compared.

    The fingerprint alone would not do: it names the seed, and says nothing of the accounts' keys that stand beside it.
    """
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    digits = sha256(text.encode()).hexdigest()[:20]
    return "-".join(digits[at : at + 4] for at in range(0, len(digits), 4))


@dataclass(frozen=True, slots=True)
class House:
    """The hot accounts' extended public keys by network, and which chain each network is (its name, or its chain id)."""

    fingerprint: str
    check: str
    chains: Mapping[str, str | int]
    hot: Mapping[str, tuple[str, ...]]

    def owns(self, network: str, chain: str | int, key: bytes) -> bool:
        """Whether the key (script or 20 bytes) is at a place of a hot account that the signer signs for.

        Raises MalformedData for a network that the document does not name, or names as another chain.
        """
        if self.chains.get(network) != chain:
            raise MalformedData(f"the file of public keys says nothing of {network} {chain}")
        row: dict[str, Any] = {"chain_id": chain} if isinstance(chain, int) else {"network": chain}
        rules = registry.rules(network, **row)
        # Nearly always it is the first address of the newest account.
        for xpub in reversed(self.hot.get(network, ())):
            for branch in (0, 1):
                if any(rules.derive(xpub, index=index, change=branch).key == key for index in range(HOT_INDEX_MAX)):
                    return True
        return False


def read(path: Path) -> House:
    """The document. Raises MalformedData."""
    try:
        if path.stat().st_size > FILE_SIZE_MAX:
            raise MalformedData(f"{path} is larger than a file of public keys can be")
        body = json.loads(path.read_bytes())
        return _house(body)
    except OSError as error:
        raise MalformedData(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise MalformedData(f"{path} is no file of public keys, as `custody show --public` writes it") from None


def _house(body: Mapping[str, Any]) -> House:
    if body["version"] != 1:
        raise ValueError
    hot: dict[str, list[str]] = {}
    for row in body["accounts"]:
        if row["role"] != "hot":
            continue
        try:
            bip32.parse(row["xpub"])
        except ChainError:
            raise ValueError from None
        hot.setdefault(str(row["network"]), []).append(row["xpub"])
    chains = {str(network): chain for network, chain in body["chains"].items()}
    accounts = {network: tuple(xpubs) for network, xpubs in hot.items()}
    return House(str(body["fingerprint"]), check(body), chains, accounts)
