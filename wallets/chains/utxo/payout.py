"""Builds an unsigned payout: coins chosen, change and fee reckoned to the vbyte, and the JSON a signing job carries.

The JSON says everything the signer needs to rebuild the bytes by itself. What must never happen here: an output that is
neither a withdrawal's nor a key's of the house, a fee that is not inputs minus outputs, or change that nodes call dust.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wallets.chains import protocol
from wallets.chains.protocol import DustOutput, InsufficientCoins, MalformedData, PayoutImpossible
from wallets.chains.utxo import script as scripts
from wallets.chains.utxo import selection
from wallets.chains.utxo.parameters import Parameters
from wallets.chains.utxo.transaction import REPLACEABLE, Transaction, TxInput, TxOutput, compact_size

INPUTS_MAX = 500
OUTPUTS_MAX = 500
# A P2WPKH input: 41 bytes outside the witness; inside: a count, a signature of 71 bytes and a key of 33, each with its
# length. The signer grinds for a low R, so a signature has 71 bytes, rarely fewer, never more.
_INPUT_WEIGHT = 41 * 4 + 1 + 1 + 71 + 1 + 33
INPUT_VSIZE = -(-_INPUT_WEIGHT // 4)
_HEAD_WEIGHT = 8 * 4 + 2
# The path of an output that goes to a cold wallet: "cold/<branch>/<index>" below its descriptor.
COLD = "cold/"


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
    """What one withdrawal receives, or a key of the house's at `path`."""

    address: str
    amount: int
    withdrawal_id: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """Where the rest returns to: an address of ours and its path."""

    address: str
    path: str


@dataclass(frozen=True, slots=True)
class Output:
    """One output: either it pays `withdrawal_id`, or it stays ours: our key at `path`, or a cold wallet's ("cold/0/7")."""

    address: str
    amount: int
    withdrawal_id: str = ""
    path: str = ""

    @property
    def cold(self) -> str:
        """Branch and index below the cold wallet's descriptor ("0/7"), "" where it is not cold."""
        return self.path.removeprefix(COLD) if self.path.startswith(COLD) else ""


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


def _outer_weight(output_scripts: Sequence[bytes]) -> int:
    """What a transaction weighs without its inputs and their count."""
    body = sum(8 + len(compact_size(len(script))) + len(script) for script in output_scripts)
    return _HEAD_WEIGHT + 4 * (len(compact_size(len(output_scripts))) + body)


def vsize(input_count: int, output_scripts: Sequence[bytes]) -> int:
    """The size in vbytes of a signed transaction of P2WPKH inputs."""
    weight = _outer_weight(output_scripts) + 4 * len(compact_size(input_count)) + input_count * _INPUT_WEIGHT
    return (weight + 3) // 4


def fee_of(size: int, fee_rate: int) -> int:
    """Base units for `size` vbytes at `fee_rate` per 1,000 vbytes, rounded up."""
    return -(-size * fee_rate // 1000)


def build(
    *,
    parameters: Parameters,
    coins: Sequence[Coin],
    payments: Sequence[Payment],
    change: Change,
    fee_rate: int,
    seed: int = 0,
    fee_max: int | None = None,
) -> UnsignedUtxo:
    """Pays every payment exactly, from coins that `selection` chooses; without payments, gathers all coins into the change.

    `fee_rate` in base units per 1,000 vbytes. Raises InsufficientCoins, FeeAboveCap, DustOutput, PayoutImpossible and
    AddressInvalid.
    """
    if len(payments) > OUTPUTS_MAX:
        raise PayoutImpossible(f"more than {OUTPUTS_MAX} payments in one transaction")
    if fee_rate <= 0:
        raise PayoutImpossible("a fee rate must be positive")
    paid = [Output(payment.address, payment.amount, payment.withdrawal_id, payment.path) for payment in payments]
    named = [payment.withdrawal_id for payment in payments if payment.withdrawal_id]
    if len(set(named)) != len(named):
        raise PayoutImpossible("a withdrawal is paid twice in one transaction")
    paid_scripts = []
    for payment in payments:
        if bool(payment.withdrawal_id) == bool(payment.path):
            raise PayoutImpossible("a payment is for a withdrawal or for a key of ours: one of the two")
        key = scripts.parse(payment.address, parameters).key
        if payment.amount < scripts.dust(key, parameters):
            raise DustOutput(f"{payment.amount} base units are too few for nodes to relay")
        paid_scripts.append(key)
    change_script = scripts.parse(change.address, parameters).key
    if not payments:
        return _gathered(parameters, coins, change, change_script, fee_rate, fee_max)
    costs = _costs(parameters, payments, paid_scripts, change_script, fee_rate, fee_max)
    by_outpoint = {coin.outpoint: coin for coin in coins}
    offered = [selection.Candidate(coin.outpoint, coin.amount, _INPUT_WEIGHT) for coin in by_outpoint.values()]
    chosen = selection.select(offered, costs, seed=seed)
    rest = [Output(change.address, chosen.change, path=change.path)] if chosen.change else []
    return UnsignedUtxo(parameters.name, tuple(by_outpoint[coin.key] for coin in chosen.coins), (*paid, *rest))


def _costs(
    parameters: Parameters,
    payments: Sequence[Payment],
    paid_scripts: list[bytes],
    change_script: bytes,
    fee_rate: int,
    fee_max: int | None,
) -> selection.Costs:
    without, with_change = (_outer_weight(each) for each in (paid_scripts, [*paid_scripts, change_script]))
    return selection.Costs(
        target=sum(payment.amount for payment in payments),
        base_weight=without,
        change_weight=with_change - without,
        change_spend_weight=_INPUT_WEIGHT,
        change_least=scripts.dust(change_script, parameters),
        fee_rate=fee_rate,
        long_term_rate=parameters.long_term_fee_rate,
        fee_max=fee_max,
        inputs_max=INPUTS_MAX,
    )


def _gathered(
    parameters: Parameters,
    coins: Sequence[Coin],
    change: Change,
    change_script: bytes,
    fee_rate: int,
    fee_max: int | None,
) -> UnsignedUtxo:
    # Ties are broken by outpoint, so that the same coins always give the same transaction.
    chosen = sorted(coins, key=lambda coin: (-coin.amount, coin.txid, coin.vout))[:INPUTS_MAX]
    fee = fee_of(vsize(len(chosen), [change_script]), fee_rate)
    rest = sum(coin.amount for coin in chosen) - fee
    if rest < scripts.dust(change_script, parameters):
        raise InsufficientCoins("the coins are worth less than the fee to gather them")
    if fee_max is not None and fee > fee_max:
        raise selection.FeeAboveCap(f"the fee would be {fee} base units, at most {fee_max} are allowed")
    return UnsignedUtxo(parameters.name, tuple(chosen), (Output(change.address, rest, path=change.path),))


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
