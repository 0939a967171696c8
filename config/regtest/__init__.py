"""Real nodes on private chains (bitcoind, litecoind, anvil) for development, tests, the demo and the journey.

Coins on these chains are worth nothing and blocks are made on request. What must never happen here: a node that
listens beyond 127.0.0.1, a node of a public network, or any of this under production settings.
"""

from config.regtest.ethereum import Anvil
from config.regtest.process import NodeError
from config.regtest.utxo import Bitcoind, Litecoind

__all__ = ["Anvil", "Bitcoind", "Litecoind", "NodeError"]
