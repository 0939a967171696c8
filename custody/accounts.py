"""Which accounts of the seed this house uses: one for deposits, and for each network the hot ones, oldest first.

The list of hot accounts is a file of the signer's own beside the keystore, written by `manage.py custody rotate` and read anew
for each job: the last one is used, the older ones are still signed for, because coins go on arriving at them. Deposits stay on
account 0 for ever. What must never happen here: an account that the database made up, or one that is forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from custody import private_files
from custody.signers import derivation

DEPOSIT = 0
FIRST_HOT = 1
# Odd numbers are hot accounts; so many rotations a network are foreseen, and none beyond is ever taken for ours.
HOT_MAX = 63
# A hot account has a few addresses of its own. An index beyond is nobody's who watches it.
HOT_INDEX_MAX = 1_000


class AccountsUnreadable(RuntimeError):
    """The file of accounts is not what it should be. Without it nothing is signed."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """The hot accounts of each network that was rotated; a network that is not named has the first one alone."""

    rotated: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def hot(self, network: str) -> tuple[int, ...]:
        """Oldest first; the last one is used for what is new."""
        return self.rotated.get(network, (FIRST_HOT,))

    def role(self, network: str, path: str, *, family: str, coin_type: int) -> str:
        """What a key path is on that network: "hot", "deposit", or "" for none of ours."""
        place = derivation.place(path, family=family, coin_type=coin_type)
        if place is None:
            return ""
        if place.account == DEPOSIT:
            return "deposit" if place.branch == 0 else ""
        inside = place.branch in (0, 1) and place.index < HOT_INDEX_MAX
        return "hot" if inside and place.account in self.hot(network) else ""

    def with_next(self, network: str) -> Accounts:
        """One hot account more. Raises AccountsUnreadable when all are used up."""
        numbers = (*self.hot(network), self.hot(network)[-1] + 2)
        if numbers[-1] > HOT_MAX:
            raise AccountsUnreadable(f"{network} has had all its {len(numbers) - 1} hot accounts")
        return Accounts({**self.rotated, network: numbers})


def read(path: Path) -> Accounts:
    """The accounts; without a file, the first ones. Raises AccountsUnreadable, FileExposed."""
    try:
        body = json.loads(private_files.read(path))
    except FileNotFoundError:
        return Accounts()
    except ValueError:
        raise AccountsUnreadable(f"{path} is not JSON") from None
    if not isinstance(body, dict) or not all(_good(numbers) for numbers in body.values()):
        raise AccountsUnreadable(f"{path} is not an object of networks and their hot accounts")
    return Accounts({network: tuple(numbers) for network, numbers in body.items()})


def write(path: Path, accounts: Accounts) -> None:
    """Replaces the file."""
    body = {network: list(numbers) for network, numbers in sorted(accounts.rotated.items())}
    private_files.replace(path, json.dumps(body, indent=1).encode() + b"\n")


def _good(numbers: object) -> bool:
    """1, 3, 5 … without a gap."""
    return isinstance(numbers, list) and 0 < len(numbers) <= HOT_MAX and numbers == list(range(1, 2 * len(numbers), 2))
