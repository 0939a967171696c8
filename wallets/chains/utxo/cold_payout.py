"""Builds the way back from a cold wallet: its coins chosen by the weight that its signatures will have, change back to it.

What must never happen here: an output that is neither the hot wallet's nor the cold wallet's own, or a fee reckoned for one
signature where several are needed.
"""

from __future__ import annotations

from collections.abc import Sequence

from wallets.chains.protocol import DustOutput, InsufficientCoins
from wallets.chains.utxo import payout, selection
from wallets.chains.utxo import script as scripts
from wallets.chains.utxo.descriptors import Descriptor
from wallets.chains.utxo.payout import Change, Coin, Output, UnsignedUtxo
from wallets.chains.utxo.transaction import compact_size

# A file carries the whole previous transaction of each of them.
INPUTS_MAX = 100
_HEAD_WEIGHT = 8 * 4 + 2


def build(
    *,
    descriptor: Descriptor,
    coins: Sequence[Coin],
    destination: Change,
    change: Change,
    amount: int | None,
    fee_rate: int,
) -> UnsignedUtxo:
    """Pays `amount` to `destination` (None: everything, the fee taken off). `fee_rate` in base units per 1,000 vbytes.

    Raises InsufficientCoins or DustOutput.
    """
    hot = scripts.parse(destination.address, descriptor.parameters).key
    if amount is None:
        return _everything(descriptor, coins, destination, hot, fee_rate)
    if amount < scripts.dust(hot, descriptor.parameters):
        raise DustOutput(f"{amount} base units are too few for nodes to relay")
    back = scripts.parse(change.address, descriptor.parameters).key
    costs = selection.Costs(
        target=amount,
        base_weight=_HEAD_WEIGHT + 4 + _output_weight(hot),
        change_weight=_output_weight(back),
        change_spend_weight=descriptor.input_weight,
        change_least=scripts.dust(back, descriptor.parameters),
        fee_rate=fee_rate,
        long_term_rate=fee_rate,
        inputs_max=INPUTS_MAX,
    )
    by_key = {coin.outpoint: coin for coin in coins}
    # The largest first: a person looks at each of them, and a device asks for each one's whole transaction.
    chosen = selection.largest_first(
        [selection.Candidate(coin.outpoint, coin.amount, descriptor.input_weight) for coin in coins], costs
    )
    if chosen is None:
        raise InsufficientCoins(f"the cold coins that may be spent do not cover {amount} base units and the fee")
    outputs = [Output(destination.address, amount, path=destination.path)]
    if chosen.change:
        outputs.append(Output(change.address, chosen.change, path=change.path))
    spent = tuple(by_key[each.key] for each in chosen.coins)
    return UnsignedUtxo(descriptor.parameters.name, spent, tuple(outputs))


def _everything(
    descriptor: Descriptor, coins: Sequence[Coin], destination: Change, hot: bytes, fee_rate: int
) -> UnsignedUtxo:
    # A coin that costs more to spend than it holds stays where it is.
    worth = [coin for coin in coins if coin.amount * 4_000 > descriptor.input_weight * fee_rate]
    spent = tuple(sorted(worth, key=lambda coin: (-coin.amount, coin.outpoint))[:INPUTS_MAX])
    weight = _HEAD_WEIGHT + 4 + _output_weight(hot) + len(spent) * descriptor.input_weight
    size = (weight + 4 * len(compact_size(len(spent))) + 3) // 4
    rest = sum(coin.amount for coin in spent) - payout.fee_of(size, fee_rate)
    if not spent or rest < scripts.dust(hot, descriptor.parameters):
        raise InsufficientCoins("the cold coins are worth less than the fee to move them")
    return UnsignedUtxo(descriptor.parameters.name, spent, (Output(destination.address, rest, path=destination.path),))


def _output_weight(script: bytes) -> int:
    return 4 * (8 + len(compact_size(len(script))) + len(script))
