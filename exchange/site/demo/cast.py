"""Who takes part in the demo, and what each is sent from outside. Data only.

Amounts are base units: satoshi, wei, millionths of USDT.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

BTC = LTC = 10**8
ETH = 10**18
USDT = 10**6

# Which chain each asset arrives on.
NETWORKS: Mapping[str, str] = {"BTC": "bitcoin", "LTC": "litecoin", "ETH": "ethereum", "USDT": "ethereum"}


# One of the staff for each office, beside the one who may all: what takes two people can be tried.
OFFICES = ("Support", "Compliance", "Treasury", "Operator", "Auditor")


@dataclass(frozen=True, slots=True)
class Trader:
    """A demo customer who quotes (maker) or takes what is quoted."""

    email: str
    display_name: str
    quotes: bool


TRADERS = (
    Trader("maker-one@demo.bourse.example", "Demo maker one", quotes=True),
    Trader("maker-two@demo.bourse.example", "Demo maker two", quotes=True),
    Trader("taker-one@demo.bourse.example", "Demo taker one", quotes=False),
    Trader("taker-two@demo.bourse.example", "Demo taker two", quotes=False),
)
TRADERS_FUNDS: Mapping[str, int] = {"BTC": 30 * BTC, "LTC": 1_500 * LTC, "ETH": 500 * ETH, "USDT": 3_000_000 * USDT}
CUSTOMERS_FUNDS: Mapping[str, int] = {"BTC": BTC // 2, "LTC": 40 * LTC, "ETH": 5 * ETH, "USDT": 25_000 * USDT}
# The hot wallet's own coins, so that withdrawals can be paid before deposits are gathered in.
HOUSE_FUNDS: Mapping[str, int] = {"BTC": 20 * BTC, "LTC": 400 * LTC, "ETH": 200 * ETH, "USDT": 500_000 * USDT}
