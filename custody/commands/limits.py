"""`custody limit`: what the signer signs at most of one asset. `first` are those that a new keystore begins with."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from custody import limits
from custody.commands.errors import NotDone
from custody.limits import Limit
from custody.signer_paths import limits_path
from exchange.core import amounts
from exchange.core.errors import InvalidRequest
from wallets.chains import registry
from wallets.chains.evm.rules import EvmRules
from wallets.chains.protocol import AddressInvalid

UTXO_DECIMALS, EVM_DECIMALS = 8, 18
# (asset id, symbol, each, hour, day, fee): a start for a small exchange; `custody limit` changes them.
FIRST = {
    "bitcoin": (1, "BTC", "2", "5", "10", "0.01"),
    "litecoin": (2, "LTC", "200", "500", "1000", "0.1"),
    "ethereum": (3, "ETH", "30", "100", "200", "0.05"),
    "bsc": (6, "BNB", "100", "300", "600", "0.05"),
    "polygon": (7, "POL", "100000", "300000", "600000", "50"),
    "avalanche": (8, "AVAX", "2000", "6000", "12000", "1"),
    "fantom": (9, "FTM", "100000", "300000", "600000", "50"),
}


def add_arguments(actions: Any) -> None:
    limit = actions.add_parser("limit", help="set what the signer signs at most of one asset")
    limit.add_argument("asset", help="bitcoin, litecoin, ethereum … or ethereum:0xCONTRACT")
    limit.add_argument("--asset-id", type=int, required=True)
    limit.add_argument("--symbol", required=True)
    limit.add_argument("--decimals", type=int, required=True, help="on the chain")
    limit.add_argument("--asset-decimals", type=int, help="in the exchange's books, where they are others")
    for name, meaning in (("each", "one withdrawal"), ("hour", "an hour with fees"), ("day", "a day with fees")):
        limit.add_argument(f"--{name}", required=True, metavar="AMOUNT", help=f"{meaning} at most")
    limit.add_argument("--fee", required=True, metavar="AMOUNT", help="one fee at most, in the chain's own coin")


def first() -> dict[str, Limit]:
    """What a new signer may sign, for each network that it knows and that has an asset of ours."""
    return {
        network: _row(network, asset_id, symbol, own_decimals(network), each, hour, day, fee)
        for network, (asset_id, symbol, each, hour, day, fee) in FIRST.items()
        if network in settings.CHAINS
    }


def own_decimals(network: str) -> int:
    """Those of a network's own coin."""
    rules = registry.rules(network, **settings.CHAINS[network])
    return EVM_DECIMALS if isinstance(rules, EvmRules) else UTXO_DECIMALS


def run(options: dict[str, Any], *, say: Any) -> None:
    """Sets one. Raises NotDone, LimitsUnreadable, FileExposed, OSError."""
    network, _, contract = options["asset"].partition(":")
    if network not in settings.CHAINS:
        raise NotDone(f"There is no network {network}; there are: {', '.join(settings.CHAINS)}.")
    if contract:
        _check_contract(network, contract)
    asset = limits.asset_key(network, contract)
    path = limits_path()
    rows = limits.read(path) if path.exists() else {}
    names = ("asset_id", "symbol", "decimals", "each", "hour", "day", "fee")
    inside = options["asset_decimals"]
    rows[asset] = _row(network, *(options[name] for name in names), inside=-1 if inside is None else inside)
    limits.write(path, rows)
    each, hour, day = (f"{options[name]} {options['symbol']}" for name in ("each", "hour", "day"))
    say(f"{asset}: one withdrawal {each}, an hour {hour}, a day {day} at most")


def _row(
    network: str,
    asset_id: int,
    symbol: str,
    decimals: int,
    each: str,
    hour: str,
    day: str,
    fee: str,
    *,
    inside: int = -1,
) -> Limit:
    try:
        units = [amounts.parse(text, decimals=decimals) for text in (each, hour, day)]
        return Limit(asset_id, symbol, decimals, *units, amounts.parse(fee, decimals=own_decimals(network)), inside)
    except InvalidRequest as error:
        raise NotDone(str(error)) from None


def _check_contract(network: str, contract: str) -> None:
    rules = registry.rules(network, **settings.CHAINS[network])
    if not isinstance(rules, EvmRules):
        raise NotDone(f"There are no contracts on {network}.")
    try:
        rules.parse(contract)
    except AddressInvalid as error:
        raise NotDone(str(error)) from None
