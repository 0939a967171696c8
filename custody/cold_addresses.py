"""The cold wallets that the signer knows by itself: a file beside the keystore, in no database.

Coins leave for a cold wallet beside all limits, so what counts as cold is said by a person at the signer's machine
(`manage.py custody cold add`). The file holds addresses and public descriptors, no secret.
What must never happen here: an address that somebody else's word made cold, or an index so far out that no wallet finds it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from custody import private_files
from wallets.chains.evm import account
from wallets.chains.evm.rules import EvmRules
from wallets.chains.protocol import AddressInvalid, ChainError
from wallets.chains.utxo import descriptors
from wallets.chains.utxo.rules import UtxoRules

Rules = UtxoRules | EvmRules
INDEX_MAX = 100_000
WALLETS_MAX = 20


class ColdUnreadable(RuntimeError):
    """The file of cold wallets is not what it should be. Without it nothing is signed."""


class ColdRefused(RuntimeError):
    """Not a cold wallet that can be taken."""


@dataclass(frozen=True, slots=True)
class Wallet:
    """One cold wallet: an address, or a descriptor whose addresses all count. `added_at` is a day, for people."""

    text: str
    label: str
    added_at: str


@dataclass(frozen=True, slots=True)
class ColdAddresses:
    """Every cold wallet by network."""

    wallets: Mapping[str, tuple[Wallet, ...]] = field(default_factory=dict)

    def knows(self, network: str, rules: Rules, path: str, key: bytes) -> bool:
        """Whether the key (script or 20 bytes) is at "cold/branch/index" of one of the network's cold wallets."""
        try:
            branch, index = descriptors.parse_path(path)
        except ChainError:
            return False
        if branch not in (0, 1) or not 0 <= index < INDEX_MAX:
            return False
        for wallet in self.wallets.get(network, ()):
            try:
                if _key(wallet.text, rules, branch, index) == key:
                    return True
            except ChainError:
                continue
        return False

    def with_wallet(self, network: str, rules: Rules, wallet: Wallet) -> ColdAddresses:
        """One more. Raises ColdRefused when it is no address or descriptor of the network, or stands already."""
        mine = self.wallets.get(network, ())
        if any(each.text == wallet.text for each in mine):
            raise ColdRefused(f"{wallet.text} stands already")
        if len(mine) >= WALLETS_MAX:
            raise ColdRefused(f"{network} has {WALLETS_MAX} cold wallets already")
        try:
            first(wallet.text, rules)
        except ChainError as error:
            raise ColdRefused(f"neither an address nor a descriptor of {network}: {error}") from None
        return ColdAddresses({**self.wallets, network: (*mine, wallet)})

    def without(self, network: str, text: str) -> ColdAddresses:
        """One fewer. Raises ColdRefused when there is none of that text."""
        mine = self.wallets.get(network, ())
        left = tuple(each for each in mine if each.text != text)
        if len(left) == len(mine):
            raise ColdRefused(f"{network} has no cold wallet {text}")
        return ColdAddresses({**self.wallets, network: left})


def first(text: str, rules: Rules) -> str:
    """The first address of a cold wallet, for people to compare with their device. Raises ChainError."""
    key = _key(text, rules, 0, 0)
    assert key is not None, "every cold wallet has a first address"
    return rules.address(key)


def _key(text: str, rules: Rules, branch: int, index: int) -> bytes | None:
    """What branch/index pays to; None where the wallet is one address and has no other. Raises ChainError."""
    if isinstance(rules, EvmRules):
        return account.parse(text).key if (branch, index) == (0, 0) else None
    try:
        lone = rules.parse(text).key
    except AddressInvalid:
        return descriptors.parse(text, rules.parameters).script(branch, index)
    return lone if (branch, index) == (0, 0) else None


def read(path: Path) -> ColdAddresses:
    """Every cold wallet; none without a file. Raises ColdUnreadable, FileExposed."""
    try:
        body = json.loads(private_files.read(path))
    except FileNotFoundError:
        return ColdAddresses()
    except ValueError:
        raise ColdUnreadable(f"{path} is not JSON") from None
    if not isinstance(body, dict):
        raise ColdUnreadable(f"{path} is not an object of networks")
    return ColdAddresses({network: tuple(_wallet(path, row) for row in rows) for network, rows in body.items()})


def write(path: Path, cold: ColdAddresses) -> None:
    """Replaces the file."""
    body = {network: [asdict(each) for each in rows] for network, rows in sorted(cold.wallets.items())}
    private_files.replace(path, json.dumps(body, indent=1).encode() + b"\n")


def _wallet(path: Path, row: Any) -> Wallet:
    names = {"text", "label", "added_at"}
    if not isinstance(row, dict) or set(row) != names or not all(isinstance(row[name], str) for name in names):
        raise ColdUnreadable(f"{path}: a cold wallet needs {', '.join(sorted(names))}")
    return Wallet(**row)
