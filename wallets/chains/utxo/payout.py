"""Builds an unsigned payout: coins chosen, change and fee reckoned to the vbyte, and the JSON a signing job carries.

The JSON says everything the signer needs to rebuild the bytes by itself. What must never happen here: an output that is
neither a withdrawal's nor our own key's, a fee that is not inputs minus outputs, or change that nodes call dust.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wallets.chains import protocol
from wallets.chains.protocol import DustOutput, InsufficientCoins, MalformedData, PayoutImpossible
from wallets.chains.utxo import script as scripts
from wallets.chains.utxo.parameters import Parameters
from wallets.chains.utxo.transaction import REPLACEABLE, Transaction, TxInput, TxOutput, compact_size

INPUTS_MAX = 500
OUTPUTS_MAX = 500
# A P2WPKH input: 41 bytes outside the witness; inside: a count, a signature of 71 bytes and a key of 33, each with its
# length. The signer grinds for a low R, so a signature has 71 bytes, rarely fewer, never more.
_INPUT_WEIGHT = 41 * 4 + 1 + 1 + 71 + 1 + 33
_HEAD_WEIGHT = 8 * 4 + 2


@dataclass(frozen=True, slots=True)
class Coin:
    """A coin of ours: P2WPKH at `path` below the seed; `amount` in base units."""

    txid: str
    vout: int
    amount: int
    script: bytes
    path: str

    @property
    def outpoint(self) -> str:
        return f"{self.txid}:{self.vout}"


@dataclass(frozen=True, slots=True)
class Payment:
    """What one withdrawal receives."""

    address: str
    amount: int
    withdrawal_id: str


@dataclass(frozen=True, slots=True)
class Change:
    """Where the rest returns to: an address of ours and its path."""

    address: str
    path: str


@dataclass(frozen=True, slots=True)
class Output:
    """One output: either it pays `withdrawal_id`, or it returns to our key at `path`."""

    address: str
    amount: int
    withdrawal_id: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class UnsignedUtxo:
    """A payout to be signed. `fee` = inputs − outputs."""

    network: str
    inputs: tuple[Coin, ...]
    outputs: tuple[Output, ...]
    locktime: int = 0
    sequence: int = REPLACEABLE

    @property
    def fee(self) -> int:
        return sum(coin.amount for coin in self.inputs) - sum(output.amount for output in self.outputs)

    def transaction(self, parameters: Parameters) -> Transaction:
        """The transaction without witnesses. Raises AddressInvalid."""
        inputs = tuple(TxInput(coin.txid, coin.vout, b"", self.sequence) for coin in self.inputs)
        outputs = tuple(
            TxOutput(output.amount, scripts.parse(output.address, parameters).key) for output in self.outputs
        )
        return Transaction(inputs, outputs, locktime=self.locktime)

    def vsize(self, parameters: Parameters) -> int:
        """The signed size in vbytes; a signature that happens to be shorter can make it one less."""
        return vsize(len(self.inputs), [scripts.parse(output.address, parameters).key for output in self.outputs])

    def to_json(self) -> dict[str, Any]:
        """The job's `unsigned`."""
        return {
            "version": 1,
            "family": "utxo",
            "network": self.network,
            "locktime": self.locktime,
            "fee": str(self.fee),
            "inputs": [
                {
                    "txid": coin.txid,
                    "vout": coin.vout,
                    "amount": str(coin.amount),
                    "script": coin.script.hex(),
                    "path": coin.path,
                    "sequence": self.sequence,
                }
                for coin in self.inputs
            ],
            "outputs": [
                {"address": output.address, "amount": str(output.amount)}
                | ({"withdrawal_id": output.withdrawal_id} if output.withdrawal_id else {"path": output.path})
                for output in self.outputs
            ],
        }


def vsize(input_count: int, output_scripts: Sequence[bytes]) -> int:
    """The size in vbytes of a signed transaction of P2WPKH inputs."""
    body = sum(8 + len(compact_size(len(script))) + len(script) for script in output_scripts)
    counts = len(compact_size(input_count)) + len(compact_size(len(output_scripts)))
    return (_HEAD_WEIGHT + 4 * (counts + body) + input_count * _INPUT_WEIGHT + 3) // 4


def fee_of(size: int, fee_rate: int) -> int:
    """Base units for `size` vbytes at `fee_rate` per 1,000 vbytes, rounded up."""
    return -(-size * fee_rate // 1000)


def build(
    *, parameters: Parameters, coins: Sequence[Coin], payments: Sequence[Payment], change: Change, fee_rate: int
) -> UnsignedUtxo:
    """Pays every payment exactly, from the largest coins first; without payments, gathers all coins into the change.

    `fee_rate` in base units per 1,000 vbytes. Raises InsufficientCoins, DustOutput, PayoutImpossible, AddressInvalid.
    """
    if len(payments) > OUTPUTS_MAX:
        raise PayoutImpossible(f"more than {OUTPUTS_MAX} payments in one transaction")
    if fee_rate <= 0:
        raise PayoutImpossible("a fee rate must be positive")
    if len({payment.withdrawal_id for payment in payments}) != len(payments):
        raise PayoutImpossible("a withdrawal is paid twice in one transaction")
    paid = [Output(payment.address, payment.amount, withdrawal_id=payment.withdrawal_id) for payment in payments]
    paid_scripts = []
    for payment in payments:
        key = scripts.parse(payment.address, parameters).key
        if payment.amount < scripts.dust(key, parameters):
            raise DustOutput(f"{payment.amount} base units are too few for nodes to relay")
        paid_scripts.append(key)
    change_script = scripts.parse(change.address, parameters).key
    chosen = _choose(coins, payments, paid_scripts, fee_rate)
    left = sum(coin.amount for coin in chosen) - sum(payment.amount for payment in payments)
    rest = left - fee_of(vsize(len(chosen), [*paid_scripts, change_script]), fee_rate)
    outputs = list(paid)
    if rest >= scripts.dust(change_script, parameters):
        outputs.append(Output(change.address, rest, path=change.path))
    if not outputs:
        raise InsufficientCoins("the coins are worth less than the fee to gather them")
    return UnsignedUtxo(parameters.name, tuple(chosen), tuple(outputs))


def _choose(coins: Sequence[Coin], payments: Sequence[Payment], paid_scripts: list[bytes], fee_rate: int) -> list[Coin]:
    # Ties are broken by outpoint, so that the same coins always give the same transaction.
    ordered = sorted(coins, key=lambda coin: (-coin.amount, coin.txid, coin.vout))
    if not payments:
        return ordered[:INPUTS_MAX]
    target = sum(payment.amount for payment in payments)
    chosen: list[Coin] = []
    total = 0
    for coin in ordered[:INPUTS_MAX]:
        chosen.append(coin)
        total += coin.amount
        if total >= target + fee_of(vsize(len(chosen), paid_scripts), fee_rate):
            return chosen
    raise InsufficientCoins(f"the coins at hand hold {total} base units; {target} and the fee are needed")


def from_json(body: Mapping[str, Any]) -> UnsignedUtxo:
    """Reads a job's `unsigned`, trusting nothing. Raises MalformedData when a part is missing or the fee does not add up."""
    if body.get("version") != 1 or body.get("family") != "utxo":
        raise MalformedData("not an unsigned utxo transaction of version 1")
    inputs_json, outputs_json = body.get("inputs"), body.get("outputs")
    if not isinstance(inputs_json, list) or not 0 < len(inputs_json) <= INPUTS_MAX:
        raise MalformedData("inputs are not a list of a fair length")
    if not isinstance(outputs_json, list) or not 0 < len(outputs_json) <= OUTPUTS_MAX + 1:
        raise MalformedData("outputs are not a list of a fair length")
    inputs = tuple(_coin(item) for item in inputs_json)
    if len({coin.outpoint for coin in inputs}) != len(inputs):
        raise MalformedData("a coin is spent twice")
    sequences = {protocol.integer(item.get("sequence"), "sequence", maximum=0xFFFFFFFF) for item in inputs_json}
    if len(sequences) != 1:
        raise MalformedData("inputs differ in their sequence")
    unsigned = UnsignedUtxo(
        network=protocol.text(body.get("network"), "network"),
        inputs=inputs,
        outputs=tuple(_output(item) for item in outputs_json),
        locktime=protocol.integer(body.get("locktime"), "locktime", maximum=0xFFFFFFFF),
        sequence=sequences.pop(),
    )
    if unsigned.fee < 0 or unsigned.fee != protocol.integer(body.get("fee"), "fee"):
        raise MalformedData("the fee is not what inputs and outputs leave")
    return unsigned


def _coin(item: object) -> Coin:
    if not isinstance(item, dict):
        raise MalformedData("an input is not an object")
    txid = protocol.hexadecimal(item.get("txid"), "txid", maximum=32)
    if len(txid) != 32:
        raise MalformedData("a txid has 32 bytes")
    return Coin(
        txid=txid.hex(),
        vout=protocol.integer(item.get("vout"), "vout", maximum=0xFFFFFFFF),
        amount=protocol.integer(item.get("amount"), "amount", maximum=2**62),
        script=protocol.hexadecimal(item.get("script"), "script", maximum=100),
        path=protocol.text(item.get("path"), "path"),
    )


def _output(item: object) -> Output:
    if not isinstance(item, dict):
        raise MalformedData("an output is not an object")
    withdrawal_id = protocol.text(item.get("withdrawal_id", ""), "withdrawal_id")
    path = protocol.text(item.get("path", ""), "path")
    if bool(withdrawal_id) == bool(path):
        raise MalformedData("an output pays a withdrawal or returns to us: one of the two")
    amount = protocol.integer(item.get("amount"), "amount", maximum=2**62)
    return Output(protocol.text(item.get("address"), "address"), amount, withdrawal_id, path)
