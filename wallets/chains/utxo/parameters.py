"""What tells one UTXO network from another: a row here is all that a further coin of the family needs.

Sources: Bitcoin Core's and Litecoin Core's src/kernel/chainparams.cpp (chainparams.cpp), SLIP-44 for coin types.
What must never happen here: two networks of one coin that accept each other's addresses where real money is concerned.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from wallets.chains.protocol import ChainError


class NetworkUnknown(ChainError):
    """There is no such network in the table."""

    code = "network_unknown"


@dataclass(frozen=True, slots=True)
class Parameters:
    """One network. Version bytes are those of Base58Check; `node_chain` is what getblockchaininfo calls it.

    `replacement` tells whether nodes let a waiting transaction be replaced (BIP125); Litecoin's refuse it by default.
    Rates are base units per 1,000 vbytes. `fallback_fee_rate` is for networks without a fee market; None where an estimate is
    needed. `fee_rate_max`: no estimate above it is believed. `long_term_fee_rate`: what a quiet day costs.
    `incremental_fee_rate`: what a replacement must add for its own size (BIP125).
    Litecoin's nodes also understand the P2SH version it once shared with Bitcoin ("3…"); it is not in the table, because it is
    just as well what a customer pastes who mistook the coin.
    """

    name: str
    network: str
    node_chain: str
    hrp: str
    p2pkh: int
    p2sh: int
    xpub_prefix: str
    coin_type: int
    genesis: str
    fallback_fee_rate: int | None = None
    dust_relay_fee: int = 3_000
    fee_rate_max: int = 2_000_000
    long_term_fee_rate: int = 10_000
    incremental_fee_rate: int = 1_000
    coinbase_maturity: int = 100
    peg_maturity: int = 0
    replacement: bool = True

    @property
    def money_max(self) -> int:
        """No amount on this chain can be larger: consensus refuses it."""
        return (84_000_000 if self.name == "litecoin" else 21_000_000) * 10**8


_BTC_MAIN = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
_BTC_TEST4 = "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043"
_BTC_REGTEST = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"
_LTC_MAIN = "12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2"
_LTC_TEST = "4966625a4b2851d9fdee139e56211a0d88575f59ed816ff5e6a63deb4e3e29a0"
_LTC_REGTEST = "530827f38f93b43ed12af0b3ad25a288dc02ed74d6d7857862df51fc56c416f9"

_litecoin = partial(Parameters, "litecoin", dust_relay_fee=30_000, peg_maturity=6, replacement=False)
_TABLE = {
    (row.name, row.network): row
    for row in (
        Parameters("bitcoin", "mainnet", "main", "bc", 0, 5, "xpub", 0, _BTC_MAIN),
        Parameters("bitcoin", "testnet4", "testnet4", "tb", 111, 196, "tpub", 1, _BTC_TEST4, 2_000),
        Parameters("bitcoin", "regtest", "regtest", "bcrt", 111, 196, "tpub", 1, _BTC_REGTEST, 20_000),
        _litecoin("mainnet", "main", "ltc", 48, 50, "xpub", 2, _LTC_MAIN),
        _litecoin("testnet", "test", "tltc", 111, 58, "tpub", 1, _LTC_TEST, 10_000),
        _litecoin("regtest", "regtest", "rltc", 111, 58, "tpub", 1, _LTC_REGTEST, 20_000),
    )
}


def parameters(name: str, network: str) -> Parameters:
    """The row of a coin and network ("bitcoin", "regtest"). Raises NetworkUnknown."""
    row = _TABLE.get((name, network))
    if row is None:
        known = ", ".join(f"{a} {b}" for a, b in _TABLE)
        raise NetworkUnknown(f"there is no network {name} {network}; there are: {known}")
    return row


def networks(name: str) -> tuple[Parameters, ...]:
    """Every network of a coin."""
    return tuple(row for (coin, _), row in _TABLE.items() if coin == name)


def everything() -> tuple[Parameters, ...]:
    """The whole table."""
    return tuple(_TABLE.values())
