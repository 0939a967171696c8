"""`python -m config.regtest`: the demo's nodes from the command line. `run` keeps them, `mine` mines, `pay` sends coins.

`pay` is how a newcomer deposits: the coins come from a wallet outside, as any customer's would.
"""

from __future__ import annotations

import argparse
import sys
from decimal import Decimal, InvalidOperation

from config.regtest import keeper, miner
from config.regtest.ethereum import Anvil
from config.regtest.process import NodeError, NodeProcess
from config.regtest.rpc import RpcError
from config.regtest.utxo import UtxoNode
from deploy.setup import places
from deploy.setup.failures import SetupError

PREFIXES = {"bcrt1": "bitcoin", "rltc1": "litecoin", "0x": "ethereum"}
DECIMALS = {"bitcoin": 8, "litecoin": 8, "ethereum": 18, "token": 6}


def network_of(address: str) -> str:
    """The private chain that an address belongs to, by how it begins."""
    for prefix, network in PREFIXES.items():
        if address.lower().startswith(prefix):
            return network
    raise NodeError(f"{address!r} is no address of these chains: they begin with {', '.join(PREFIXES)}.")


def base_units(text: str, decimals: int) -> int:
    """A decimal string as an integer of the base unit; refuses what has more places than the asset."""
    try:
        amount = Decimal(text).scaleb(decimals)
    except InvalidOperation as exc:
        raise NodeError(f"{text} is not an amount.") from exc
    if not amount.is_finite() or amount <= 0 or amount != int(amount):
        raise NodeError(f"{text} is not an amount of at most {decimals} decimals above zero.")
    return int(amount)


def pay(nodes: dict[str, NodeProcess], address: str, amount: str, *, token: str = "") -> str:
    """Sends coins of the outside wallet (or, with `token`, that contract's); returns the txid. Nothing is mined."""
    node = nodes[network_of(address)]
    if isinstance(node, UtxoNode):
        return node.send(address, base_units(amount, DECIMALS[network_of(address)]))
    assert isinstance(node, Anvil)
    if token:
        return node.transact("TestToken", token, "mint", [address, base_units(amount, DECIMALS["token"])])
    return node.send(address, base_units(amount, DECIMALS["ethereum"]))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m config.regtest", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("run", help="start bitcoind, litecoind and anvil and keep them running")
    mining = actions.add_parser("mine", help="mine by the clock, or N blocks on one chain at once")
    mining.add_argument("network", nargs="?", choices=sorted(keeper.NETWORKS))
    mining.add_argument("count", nargs="?", type=int, default=1)
    paying = actions.add_parser("pay", help="send coins from the wallet outside")
    paying.add_argument("address")
    paying.add_argument("amount")
    paying.add_argument("--token", default="", help="the contract of the test token, to send that instead of ETH")
    arguments = parser.parse_args()
    state = places.state()
    state.mkdir(parents=True, exist_ok=True)
    try:
        if arguments.action == "run":
            keeper.run(state)
        elif arguments.action == "pay":
            print(pay(keeper.attach(state), arguments.address, arguments.amount, token=arguments.token))
        elif arguments.network is None:
            miner.run(state)
        else:
            node = keeper.attach(state)[arguments.network]
            node.mine(arguments.count)
            print(node.height())
    except (NodeError, SetupError, RpcError, OSError) as exc:
        sys.exit(str(exc))


if __name__ == "__main__":
    main()
