"""Proposals without a node: coins whose previous transactions exist nowhere but hash as they should."""

from __future__ import annotations

from typing import Any

from custody import public_keys
from custody.accounts import Accounts
from custody.signers import psbt
from custody.signers.software import SoftwareSigner
from wallets.chains import registry
from wallets.chains.evm import payout as evm
from wallets.chains.utxo.descriptors import Descriptor
from wallets.chains.utxo.parameters import parameters
from wallets.chains.utxo.payout import Coin, Output, UnsignedUtxo
from wallets.chains.utxo.transaction import Transaction, TxInput, TxOutput

REGTEST = parameters("bitcoin", "regtest")
HOUSE = SoftwareSigner(b"\x2a" * 32)
CHAINS = {"bitcoin": {"network": "regtest"}, "ethereum": {"chain_id": 31337}}
HOT_PATH, HOT_ACCOUNT_PATH = "m/84'/1'/1'/0/0", "m/44'/60'/1'/0/0"
HOT = registry.rules("bitcoin", network="regtest").address(HOUSE.script(HOT_PATH))
SENT, FEE = 40_000_000, 2_000


def public_document(signer: SoftwareSigner = HOUSE, accounts: Accounts | None = None) -> dict[str, Any]:
    """What `custody show --public` writes at that signer's machine."""
    return public_keys.document(signer, CHAINS, accounts or Accounts())


class FakeCoins:
    """Coins of a cold wallet."""

    def __init__(self, descriptor: Descriptor, *, amounts: tuple[int, ...] = (30_000_000, 25_000_000)) -> None:
        self.descriptor = descriptor
        self.coins: list[Coin] = []
        self.previous: dict[str, bytes] = {}
        for index, amount in enumerate(amounts):
            script = descriptor.script(0, index)
            made = Transaction((TxInput(f"{index + 1:064x}", 1),), (TxOutput(7, b"\x6a"), TxOutput(amount, script)))
            self.previous[made.txid] = made.serialize()
            self.coins.append(Coin(made.txid, 1, amount, script, f"cold/0/{index}"))

    def proposal(self, *, to: str = HOT, sent: int = SENT, fee: int = FEE) -> tuple[psbt.Spending, bytes]:
        """What pays `to` and returns the rest to the wallet; and its file."""
        branch = self.descriptor.change_branch
        rest = sum(coin.amount for coin in self.coins) - sent - fee
        outputs = (
            Output(to, sent, path=HOT_PATH),
            Output(self.descriptor.address(branch, 0).text, rest, path=f"cold/{branch}/0"),
        )
        wanted = psbt.Spending(UnsignedUtxo("bitcoin", tuple(self.coins), outputs), self.descriptor)
        return wanted, psbt.make(wanted, previous=self.previous, note={"network": "bitcoin regtest", "proposal": "x"})


def account_file(device: Any, *, legacy: bool = False, to: str = "") -> tuple[evm.UnsignedEvm, dict[str, Any]]:
    """An account's unsigned transaction, and the document that carries it to the device."""
    from eth_account import Account

    owner = Account.from_key(device.root.derive("m/44h/60h/0h/0/0").key.serialize()).address
    fees = evm.Fees(7, 40, 40, legacy=True) if legacy else evm.Fees(7, 40, 3)
    rules = registry.rules("ethereum", chain_id=31337)
    unsigned = rules.payout(
        from_address=owner,
        from_path="cold/0/0",
        nonce=3,
        payment=evm.Payment(to or HOUSE.evm_address(HOT_ACCOUNT_PATH), 15 * 10**17, path=HOT_ACCOUNT_PATH),
        fees=fees,
        gas_limit=21_000,
    )
    document = {
        "format": "bourse-unsigned",
        "version": 1,
        "proposal": "x",
        "account": f"[{device.fingerprint.hex()}/44h/60h/0h/0/0]{owner}",
        "says": "",
        "unsigned": unsigned.to_json(),
    }
    return unsigned, document
