"""The signer's own limits: a file of its own user beside the keystore, in no database. They hold whatever a job says.

Written by `manage.py custody limit`, read anew for each job. Amounts are base units. What must never happen here: a limit that
the web process or the database can raise, or an asset that is signed for without a row.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from custody import private_files
from custody.policy import DAY_S, HOUR_S, Effect, Rule, Scope, Window

WINDOWS_S = (HOUR_S, DAY_S)


class LimitsUnreadable(RuntimeError):
    """The limits file is missing or not what it should be. Without it nothing is signed."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One asset on one network, in base units; `fee` in base units of the network's own coin, for one transaction.

    `asset_id` is the house's number of the asset: a payout in this asset may only serve a withdrawal of it. `decimals` are the
    chain's; `asset_decimals` those of the house's own books, where a token has others there (-1: the same).
    """

    asset_id: int
    symbol: str
    decimals: int
    each: int
    hour: int
    day: int
    fee: int
    asset_decimals: int = -1

    def pays(self, chain_units: int, base_units: int) -> bool:
        """Whether a payment of `chain_units` is one of `base_units` of the house's books, to the last digit."""
        inside = self.decimals if self.asset_decimals < 0 else self.asset_decimals
        finest = max(self.decimals, inside)
        outside: int = chain_units * 10 ** (finest - self.decimals)
        booked: int = base_units * 10 ** (finest - inside)
        return outside == booked

    def rules(self, asset: str) -> list[Rule]:
        """As policy: over a limit is refused, what is left is allowed."""
        only = frozenset({asset})
        return [
            Rule(f"one withdrawal of {self.symbol}", Effect.BLOCK, "limit_each", only, amount_above=self.each),
            Rule(
                f"an hour's {self.symbol}",
                Effect.BLOCK,
                "limit_hour",
                only,
                window=Window(Scope.HOUSE, HOUR_S, self.hour),
            ),
            Rule(
                f"a day's {self.symbol}", Effect.BLOCK, "limit_day", only, window=Window(Scope.HOUSE, DAY_S, self.day)
            ),
            Rule(f"{self.symbol} within limits", Effect.ALLOW, "", only),
        ]


def asset_key(network: str, contract: str = "") -> str:
    """How an asset is named here: the network, and for a token its contract in small letters."""
    return f"{network}:{contract.lower()}" if contract else network


def read(path: Path) -> dict[str, Limit]:
    """Every asset that may be signed for. Raises LimitsUnreadable or FileExposed."""
    try:
        body = json.loads(private_files.read(path, others_may_read=True))
    except FileNotFoundError:
        raise LimitsUnreadable(f"{path} is missing: `manage.py custody limit` writes it") from None
    except ValueError:
        raise LimitsUnreadable(f"{path} is not JSON") from None
    if not isinstance(body, dict):
        raise LimitsUnreadable(f"{path} is not an object of assets")
    return {asset: _limit(path, asset, row) for asset, row in body.items()}


def write(path: Path, limits: dict[str, Limit]) -> None:
    """Replaces the file."""
    body = {asset: _row(limit) for asset, limit in sorted(limits.items())}
    private_files.replace(path, json.dumps(body, indent=1).encode() + b"\n")


def _row(limit: Limit) -> dict[str, Any]:
    row = asdict(limit)
    if row["asset_decimals"] < 0:
        del row["asset_decimals"]
    return row


def _limit(path: Path, asset: str, row: Any) -> Limit:
    names = {"asset_id", "symbol", "decimals", "each", "hour", "day", "fee"}
    if isinstance(row, dict):
        row = {"asset_decimals": -1} | row
    if not isinstance(row, dict) or set(row) != names | {"asset_decimals"} or not isinstance(row["symbol"], str):
        raise LimitsUnreadable(f"{path}: {asset} needs {', '.join(sorted(names))}")
    numbers = names - {"symbol"}
    if any(type(row[name]) is not int or row[name] < 0 for name in numbers):
        raise LimitsUnreadable(f"{path}: the numbers of {asset} must be whole and not negative")
    if type(row["asset_decimals"]) is not int or not -1 <= row["asset_decimals"] <= 30 or row["decimals"] > 30:
        raise LimitsUnreadable(f"{path}: {asset} has decimals that no asset has")
    return Limit(**row)
