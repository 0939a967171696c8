"""One family each for the contract suite: a real node, our view of it, and keys of our own to pay from."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from custody.signers.software import SoftwareSigner
from wallets.chains import registry
from wallets.chains.evm import payout as evm
from wallets.chains.utxo import payout as utxo

W1 = "018f0000-0000-7000-8000-000000000001"
_seeds = itertools.count(1)


@dataclass
class Party:
    """What the suite needs of a family. Amounts in base units of the chain's own coin."""

    name: str
    node: Any
    row: dict[str, Any]
    other_row: dict[str, Any]
    unit: int
    unknown_txid: str
    signer: SoftwareSigner = field(default_factory=lambda: SoftwareSigner(next(_seeds).to_bytes(32, "little")))
    indexes: Any = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.chain = self.connect()

    def connect(self, url: str = "", *, timeout_s: float = 30) -> Any:
        return registry.connect(self.name, **{**self.row, "url": url or self.row["url"]}, timeout_s=timeout_s)

    def on_another_chain(self) -> Any:
        """The same node, taken for one of another chain."""
        return registry.connect(self.name, **{**self.row, **self.other_row})

    def fresh(self) -> tuple[str, bytes]:
        raise NotImplementedError

    def own_transaction(self) -> tuple[bytes, bytes]:
        """Bytes that pay somebody outside from a funded key of ours, and others that spend the same."""
        raise NotImplementedError

    def reorganise(self, depth: int) -> None:
        """The last `depth` blocks are replaced by one more, empty of what the old ones had or not."""
        raise NotImplementedError


class UtxoParty(Party):
    def fresh(self) -> tuple[str, bytes]:
        script = self.signer.script(f"m/84'/1'/0'/0/{next(self.indexes)}")
        return self.chain.rules.address(script), script

    def own_transaction(self) -> tuple[bytes, bytes]:
        path = f"m/84'/1'/0'/0/{next(self.indexes)}"
        script = self.signer.script(path)
        txid = self.node.send(self.chain.rules.address(script), 500_000)
        self.node.mine()
        credit = next(c for c in self.chain.block(self.node.height()).credits({script}) if c.txid == txid)
        coin = utxo.Coin(credit.txid, int(credit.slot), credit.amount, script, path)
        return self._signed(coin, 200_000), self._signed(coin, 210_000)

    def _signed(self, coin: utxo.Coin, amount: int) -> bytes:
        path = f"m/84'/1'/1'/1/{next(self.indexes)}"
        change = utxo.Change(self.chain.rules.address(self.signer.script(path)), path)
        payment = utxo.Payment(self.node.new_address(), amount, W1)
        unsigned = self.chain.rules.payout(coins=[coin], payments=[payment], change=change, fee_rate=5_000)
        return self.signer.sign_utxo(unsigned, self.chain.rules.parameters)

    def reorganise(self, depth: int) -> None:
        self.node.invalidate(self.node.rpc("getblockhash", self.node.height() - depth + 1))
        self.node.mine(depth + 1)


class EvmParty(Party):
    def fresh(self) -> tuple[str, bytes]:
        address = self.signer.evm_address(f"m/44'/60'/0'/0/{next(self.indexes)}")
        return address, bytes.fromhex(address[2:])

    def own_transaction(self) -> tuple[bytes, bytes]:
        path = f"m/44'/60'/1'/0/{next(self.indexes)}"
        self.node.send(self.signer.evm_address(path), 10**18)
        self.node.mine()
        return self._signed(path, 10**15), self._signed(path, 2 * 10**15)

    def _signed(self, path: str, amount: int) -> bytes:
        unsigned = self.chain.rules.payout(
            from_address=self.signer.evm_address(path),
            from_path=path,
            nonce=0,
            payment=evm.Payment(self.node.accounts[7], amount, W1),
            fees=self.chain.fees(),
            gas_limit=21_000,
        )
        return self.signer.sign_evm(unsigned)

    def reorganise(self, depth: int) -> None:
        self.node.reorganise(depth)
        self.node.mine()


def bitcoin(node: Any) -> Party:
    row = {"family": "utxo", "network": "regtest", "url": node.url}
    return UtxoParty("bitcoin", node, row, {"network": "mainnet"}, 10_000, "ee" * 32)


def litecoin(node: Any) -> Party:
    row = {"family": "utxo", "network": "regtest", "url": node.url}
    return UtxoParty("litecoin", node, row, {"network": "mainnet"}, 10_000, "ee" * 32)


def ethereum(node: Any) -> Party:
    row = {"family": "evm", "chain_id": 31337, "url": node.url, "trace": True}
    return EvmParty("ethereum", node, row, {"chain_id": 1}, 10**15, "0x" + "ee" * 32)


def bitcoin_by_esplora(service: Any) -> Party:
    row = {"family": "utxo", "network": "regtest", "url": service.url, "kind": "esplora"}
    return UtxoParty("bitcoin", service.node, row, {"network": "mainnet"}, 10_000, "ee" * 32)


def litecoin_by_esplora(service: Any) -> Party:
    row = {"family": "utxo", "network": "regtest", "url": service.url, "kind": "esplora"}
    return UtxoParty("litecoin", service.node, row, {"network": "mainnet"}, 10_000, "ee" * 32)


PARTIES: dict[str, tuple[str, Callable[[Any], Party]]] = {
    "bitcoind": ("bitcoind", bitcoin),
    "litecoind": ("litecoind", litecoin),
    "anvil": ("anvil", ethereum),
    "bitcoin-esplora": ("bitcoin_esplora", bitcoin_by_esplora),
    "litecoin-esplora": ("litecoin_esplora", litecoin_by_esplora),
}
