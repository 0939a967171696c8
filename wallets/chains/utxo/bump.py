"""A transaction of ours that waits too long: the same once more at a higher fee, taken back, or pulled along by a child.

A replacement (BIP125) spends every input of what it replaces, so at most one of the two is ever mined; it pays the same
payments, and takes its fee out of the change, or out of further coins where the change does not do. Where a network's nodes do
not replace, a child spends the change at a fee that pays for both (child pays for parent). Pure.
What must never happen here: a payment changed or left out of a bump, or a version that could be mined beside another.
Sources: BIP125 rules 2 to 4; Bitcoin Core's doc/policy/mempool-replacements.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from wallets.chains.protocol import InsufficientCoins, PayoutImpossible
from wallets.chains.utxo import script as scripts
from wallets.chains.utxo.parameters import Parameters
from wallets.chains.utxo.payout import COLD, INPUTS_MAX, Change, Coin, Output, UnsignedUtxo, fee_of, vsize
from wallets.chains.utxo.selection import FeeAboveCap


class NoChange(PayoutImpossible):
    """There is no output of ours that a child could spend."""

    code = "no_change"


def change_of(unsigned: UnsignedUtxo) -> int | None:
    """The number of the output that returns to a hot key of ours, None when all was paid out."""
    ours = [
        number for number, output in enumerate(unsigned.outputs) if output.path and not output.path.startswith(COLD)
    ]
    return ours[-1] if ours else None


def replacement(
    unsigned: UnsignedUtxo,
    *,
    parameters: Parameters,
    fee_rate: int,
    replaced_fees: int,
    change: Change,
    spare: Sequence[Coin] = (),
    fee_max: int | None = None,
) -> UnsignedUtxo:
    """The same payments from the same coins at a higher fee; from `spare` ones as well where the change is too small.

    `replaced_fees`: what everything that is thrown out pays, descendants included. `change`: where what is left goes when
    there was no change before. Raises InsufficientCoins, FeeAboveCap.
    """
    number = change_of(unsigned)
    kept = [output for position, output in enumerate(unsigned.outputs) if position != number]
    back = Change(unsigned.outputs[number].address, unsigned.outputs[number].path) if number is not None else change
    paid = sum(output.amount for output in kept)
    further = sorted(spare, key=lambda coin: (-coin.amount, coin.txid, coin.vout))
    for count in range(len(further) + 1):
        inputs = (*unsigned.inputs, *further[:count])
        if len(inputs) > INPUTS_MAX:
            break
        rest = sum(coin.amount for coin in inputs) - paid
        made = _with_change(unsigned, inputs, kept, back, rest, parameters, fee_rate, replaced_fees)
        if made is not None:
            return _capped(made, fee_max)
    raise InsufficientCoins("change and spare coins do not cover a higher fee")


def _with_change(
    unsigned: UnsignedUtxo,
    inputs: tuple[Coin, ...],
    kept: Sequence[Output],
    back: Change,
    rest: int,
    parameters: Parameters,
    fee_rate: int,
    replaced_fees: int,
) -> UnsignedUtxo | None:
    """With change where there is enough for it, without where the payments and the fee alone are covered, else None."""
    key = scripts.parse(back.address, parameters).key
    paid_scripts = [scripts.parse(output.address, parameters).key for output in kept]
    with_change = _fee(vsize(len(inputs), [*paid_scripts, key]), parameters, fee_rate, replaced_fees)
    if rest - with_change >= scripts.dust(key, parameters):
        outputs = (*kept, Output(back.address, rest - with_change, path=back.path))
    elif kept and rest >= _fee(vsize(len(inputs), paid_scripts), parameters, fee_rate, replaced_fees):
        outputs = tuple(kept)
    else:
        return None
    return UnsignedUtxo(unsigned.network, inputs, outputs, unsigned.locktime, unsigned.sequence)


def cancellation(
    unsigned: UnsignedUtxo,
    *,
    parameters: Parameters,
    fee_rate: int,
    replaced_fees: int,
    change: Change,
    fee_max: int | None = None,
) -> UnsignedUtxo:
    """The same coins, all to our own key: mined, it takes everything back. Raises InsufficientCoins, FeeAboveCap."""
    key = scripts.parse(change.address, parameters).key
    fee = _fee(vsize(len(unsigned.inputs), [key]), parameters, fee_rate, replaced_fees)
    rest = sum(coin.amount for coin in unsigned.inputs) - fee
    if rest < scripts.dust(key, parameters):
        raise InsufficientCoins("the coins are worth less than the fee to take them back")
    outputs = (Output(change.address, rest, path=change.path),)
    made = UnsignedUtxo(unsigned.network, unsigned.inputs, outputs, unsigned.locktime, unsigned.sequence)
    return _capped(made, fee_max)


def child(
    parent: UnsignedUtxo,
    *,
    txid: str,
    parameters: Parameters,
    fee_rate: int,
    package_fee: int,
    package_size: int,
    change: Change,
    fee_max: int | None = None,
) -> UnsignedUtxo:
    """Spends the parent's change so that parent and child together pay `fee_rate`.

    `package_fee` and `package_size` (vbytes) are the parent's with whatever it waits for itself. Raises NoChange,
    InsufficientCoins, FeeAboveCap.
    """
    number = change_of(parent)
    if number is None:
        raise NoChange("the transaction left no change that a child could spend")
    output = parent.outputs[number]
    coin = Coin(txid, number, output.amount, scripts.parse(output.address, parameters).key, output.path)
    key = scripts.parse(change.address, parameters).key
    size = vsize(1, [key])
    # Never below its own size's worth: a parent that already pays enough needs no child to be carried along.
    fee = max(fee_of(package_size + size, fee_rate) - package_fee, fee_of(size, fee_rate))
    rest = coin.amount - fee
    if rest < scripts.dust(key, parameters):
        raise InsufficientCoins("the change is worth less than the fee of a child")
    made = UnsignedUtxo(parent.network, (coin,), (Output(change.address, rest, path=change.path),))
    return _capped(made, fee_max)


def _fee(size: int, parameters: Parameters, fee_rate: int, replaced_fees: int) -> int:
    """At the rate, and at least what is thrown out and the relay of its own size (BIP125 rules 3 and 4)."""
    return max(fee_of(size, fee_rate), replaced_fees + fee_of(size, parameters.incremental_fee_rate))


def _capped(made: UnsignedUtxo, fee_max: int | None) -> UnsignedUtxo:
    if fee_max is not None and made.fee > fee_max:
        raise FeeAboveCap(f"the fee would be {made.fee} base units, at most {fee_max} are allowed")
    return made
