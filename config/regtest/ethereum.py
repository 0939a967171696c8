"""anvil: a private Ethereum chain with the calls of a real node. Blocks are made by `mine` only, as on the other chains.

Amounts are integers of wei, or of a token's base unit. The ten unlocked accounts are the world outside.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from config.regtest import rpc
from config.regtest.process import NodeError, NodeProcess
from deploy.setup import places, programs

CHAIN_ID = 31337


def artifact(name: str) -> dict[str, Any]:
    """A compiled contract: {"abi": …, "bytecode": "0x…"}."""
    path = places.contracts() / f"{name}.json"
    if not path.exists():
        raise NodeError(f"{name} is not compiled yet: run `make setup`.")
    compiled: dict[str, Any] = json.loads(path.read_text())
    return compiled


class Anvil(NodeProcess):
    name = "anvil"

    def __init__(
        self,
        *,
        folder: Path,
        port: int | None = None,
        persistent: bool = True,
        slots_in_an_epoch: int = 32,
        chain_id: int = CHAIN_ID,
    ) -> None:
        """`persistent=False` keeps the chain in memory only. A block is finalized two epochs after it was mined."""
        super().__init__(folder=folder, port=port)
        self.chain_id = chain_id
        self.persistent = persistent
        self.slots_in_an_epoch = slots_in_an_epoch

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def state_file(self) -> Path:
        return self.folder / "state.json"

    def _command(self) -> list[str]:
        command = [
            *programs.command("anvil"),
            "--host=127.0.0.1",
            f"--port={self.port}",
            f"--chain-id={self.chain_id}",
            f"--slots-in-an-epoch={self.slots_in_an_epoch}",
            "--no-mining",
            "--quiet",
        ]
        if self.persistent and self.state_file.exists():
            command.append(f"--load-state={self.state_file}")
        return command

    def _probe(self) -> None:
        if int(self.rpc("eth_chainId", timeout_s=rpc.PROBE_S), 16) != self.chain_id:
            raise NodeError(f"another chain answers on port {self.port}")

    @property
    def accounts(self) -> list[str]:
        """Ten accounts with 10,000 ETH each, unlocked in the node."""
        from web3 import Web3

        return [Web3.to_checksum_address(address) for address in self.rpc("eth_accounts")]

    @property
    def outside(self) -> str:
        """The account that stands for the world outside."""
        return self.accounts[0]

    def height(self) -> int:
        return int(self.rpc("eth_blockNumber"), 16)

    def mine(self, count: int = 1) -> list[str]:
        """Mines blocks with what is pending; returns their hashes. They survive a kill, and so does the newest state."""
        first = self.height() + 1
        self.rpc("anvil_mine", hex(count), "0x1")
        self._save()
        return [self.rpc("eth_getBlockByNumber", hex(height), False)["hash"] for height in range(first, first + count)]

    def _save(self) -> None:
        # anvil itself writes its state by the second and in place: a kill would lose blocks, or tear the file.
        if not self.persistent:
            return
        packed = bytes.fromhex(self.rpc("anvil_dumpState").removeprefix("0x"))
        scratch = self.state_file.with_suffix(f".{os.getpid()}")
        scratch.write_bytes(gzip.decompress(packed))
        scratch.replace(self.state_file)

    def balance(self, address: str) -> int:
        return int(self.rpc("eth_getBalance", address, "latest"), 16)

    def send(self, address: str, amount: int, *, sender: str | None = None) -> str:
        """Sends wei from an unlocked account, pending until `mine`; returns the transaction's hash."""
        return str(
            self.rpc("eth_sendTransaction", {"from": sender or self.outside, "to": address, "value": hex(amount)})
        )

    def receipt(self, txid: str) -> dict[str, Any]:
        """Raises when the transaction is not mined or was reverted."""
        found: dict[str, Any] | None = self.rpc("eth_getTransactionReceipt", txid)
        if found is None:
            raise NodeError(f"{txid} is not in a block")
        if int(found["status"], 16) != 1:
            raise NodeError(f"{txid} was reverted")
        return found

    def deploy(self, name: str, *arguments: Any) -> str:
        """Deploys a compiled contract from the outside account and mines it; returns its address."""
        from web3 import Web3

        compiled = artifact(name)
        factory = Web3().eth.contract(abi=compiled["abi"], bytecode=compiled["bytecode"])
        data = factory.constructor(*arguments).data_in_transaction
        txid = self.rpc("eth_sendTransaction", {"from": self.outside, "data": data, "gas": hex(3_000_000)})
        self.mine()
        return Web3.to_checksum_address(self.receipt(txid)["contractAddress"])

    def transact(
        self,
        name: str,
        address: str,
        function: str,
        arguments: Sequence[Any],
        *,
        sender: str | None = None,
        value: int = 0,
    ) -> str:
        """Calls a function of a deployed contract, pending until `mine`; returns the transaction's hash."""
        from web3 import Web3

        contract = Web3().eth.contract(address=Web3.to_checksum_address(address), abi=artifact(name)["abi"])
        data = contract.encode_abi(function, args=list(arguments))
        request = {
            "from": sender or self.outside,
            "to": address,
            "data": data,
            "gas": hex(300_000),
            "value": hex(value),
        }
        return str(self.rpc("eth_sendTransaction", request))

    def read(self, name: str, address: str, function: str, *arguments: Any) -> Any:
        """A view function's answer at the newest block."""
        from web3 import Web3

        node = Web3(Web3.HTTPProvider(self.url))
        contract = node.eth.contract(address=Web3.to_checksum_address(address), abi=artifact(name)["abi"])
        return contract.functions[function](*arguments).call()

    def reorganise(self, depth: int) -> None:
        """Replaces the newest `depth` blocks by empty ones; their transactions are dropped, not put back."""
        self.rpc("anvil_reorg", depth, [])
        self._save()

    def snapshot(self) -> str:
        return str(self.rpc("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        """Puts chain and pending transactions back; a snapshot can be used once."""
        if not self.rpc("evm_revert", snapshot):
            raise NodeError(f"anvil knows no snapshot {snapshot}")
        self._save()
