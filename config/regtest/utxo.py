"""bitcoind and litecoind on their regtest chains, with a wallet "outside" whose coins are not ours.

Amounts are integers of the base unit (1 BTC = 10^8), turned into decimal strings at the node's edge.
"""

from __future__ import annotations

import secrets
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from config.regtest import rpc
from config.regtest.process import NodeProcess
from deploy.setup import programs

DECIMALS = 8
WALLET = "outside"
MATURITY_BLOCKS = 100
FUNDED_BLOCKS = 20
MWEB_HEIGHT = 432
MWEB_WALLET = "mweb"
PEGGED_IN = 20 * 10**DECIMALS
_ALREADY_LOADED = -35


def _decimal(amount: int) -> str:
    return f"{Decimal(amount).scaleb(-DECIMALS):.{DECIMALS}f}"


def base_units(amount: Decimal | int) -> int:
    """What a node calls 0.5 (a Decimal) in base units."""
    return int(Decimal(amount).scaleb(DECIMALS))


class UtxoNode(NodeProcess):
    """One bitcoind or litecoind. The chain's rewards go to the wallet "outside"."""

    config_file = ""

    def __init__(self, *, folder: Path, port: int | None = None) -> None:
        super().__init__(folder=folder, port=port)
        self.password = ""

    @property
    def url(self) -> str:
        return f"http://bourse:{self.password}@127.0.0.1:{self.port}"

    def _attach(self, url: str) -> None:
        self.password = urlsplit(url).password or ""

    def _command(self) -> list[str]:
        # The password stands in a file of the user's own, not in the command line, which everybody on the machine can read.
        secret = self.folder / "rpcpassword"
        if not secret.exists():
            secret.touch(mode=0o600)
            secret.write_text(secrets.token_hex(16))
        self.password = secret.read_text()
        config = self.folder / self.config_file
        config.touch(mode=0o600)
        config.write_text(f"regtest=1\n[regtest]\nrpcuser=bourse\nrpcpassword={self.password}\nrpcport={self.port}\n")
        return [
            *programs.command(self.name),
            f"-datadir={self.folder}",
            f"-conf={config}",
            "-server",
            "-txindex",
            "-fallbackfee=0.0002",
            "-addresstype=bech32",
            "-changetype=bech32",
            "-listen=0",
            "-dnsseed=0",
            "-discover=0",
            "-rpcbind=127.0.0.1",
            "-rpcallowip=127.0.0.1",
            "-rpcworkqueue=128",
            "-rpcthreads=8",
            "-dbcache=16",
            "-par=1",
            "-maxtipage=315360000",  # a chain left alone for a week is still in sync
            "-printtoconsole=0",
        ]

    def _probe(self) -> None:
        self.rpc("getblockchaininfo", timeout_s=rpc.PROBE_S)

    def _prepare(self) -> None:
        known = {entry["name"] for entry in self.rpc("listwalletdir")["wallets"]}
        if WALLET not in known:
            self.rpc("createwallet", WALLET)
        for wallet in known - set(self.rpc("listwallets")) - {""}:
            self._load_wallet(wallet)
        self._fund()

    def _fund(self) -> None:
        """Gives a new chain its first blocks, so that the outside wallet has coins that it may spend."""
        missing = MATURITY_BLOCKS + FUNDED_BLOCKS - self.height()
        if missing > 0:
            self.mine(missing)

    def _load_wallet(self, name: str) -> None:
        try:
            self.rpc("loadwallet", name)
        except rpc.RpcError as exc:
            if exc.code != _ALREADY_LOADED:
                raise

    def wallet(self, method: str, *params: Any) -> Any:
        """A call to the outside wallet."""
        return rpc.call(f"{self.url}/wallet/{WALLET}", method, list(params))

    def height(self) -> int:
        return int(self.rpc("getblockcount"))

    def new_address(self) -> str:
        """An address of the outside wallet: where withdrawals of the tests go."""
        return str(self.wallet("getnewaddress"))

    def mine(self, count: int = 1, *, to: str | None = None) -> list[str]:
        """Mines blocks at once, with what is in the mempool; returns their hashes. They survive a kill."""
        hashes = list(self.rpc("generatetoaddress", count, to or self.new_address()))
        self._flush()
        return hashes

    def _flush(self) -> None:
        # A node writes its block index about once an hour and fetches what a crash took from its peers; this one has
        # none. Asking for the coin set writes everything first.
        self.rpc("gettxoutsetinfo", "none")

    def send(self, address: str, amount: int) -> str:
        """Sends from the outside wallet, unconfirmed until `mine`; returns the txid. The fee is on top."""
        return str(self.wallet("sendtoaddress", address, _decimal(amount)))

    def received(self, address: str, *, confirmations: int = 0) -> int:
        """What an address of the outside wallet was paid, in base units."""
        return base_units(self.wallet("getreceivedbyaddress", address, confirmations))

    def balance(self) -> int:
        """The outside wallet's spendable coins, in base units."""
        return base_units(self.wallet("getbalance"))

    def invalidate(self, block_hash: str) -> None:
        """Reorganises away this block and those above it; their transactions go back to the mempool."""
        self.rpc("invalidateblock", block_hash)

    def reconsider(self, block_hash: str) -> None:
        self.rpc("reconsiderblock", block_hash)


class Bitcoind(UtxoNode):
    name = "bitcoind"
    config_file = "bitcoin.conf"


class Litecoind(UtxoNode):
    """With MWEB active, as on Litecoin's public chain: every block ends in a HogEx transaction and an extension."""

    name = "litecoind"
    config_file = "litecoin.conf"

    def _fund(self) -> None:
        # From MWEB_HEIGHT on, blocks are valid only when somebody has pegged coins into the extension.
        if self.height() >= MWEB_HEIGHT:
            return
        self.mine(MWEB_HEIGHT - 2 - self.height())
        if MWEB_WALLET not in self.rpc("listwallets"):
            self.rpc("createwallet", MWEB_WALLET)
        # A wallet of its own, or the outside wallet would spend from the extension and its txids would not be the payments'.
        self.send(self._mweb("getnewaddress"), PEGGED_IN)
        self.mine()
        inside = self._mweb("getnewaddress", "", "mweb")
        self._mweb("sendtoaddress", inside, _decimal(PEGGED_IN), "", "", True)
        self.mine()

    def _mweb(self, method: str, *params: Any) -> Any:
        return rpc.call(f"{self.url}/wallet/{MWEB_WALLET}", method, list(params))

    def peg_out(self, address: str, amount: int) -> str:
        """Pays a plain address out of the extension: the coins arrive in the next block's HogEx transaction.

        Returns the id that the wallet gave; the payment's own txid is the HogEx transaction's.
        """
        return str(self._mweb("sendtoaddress", address, _decimal(amount)))
