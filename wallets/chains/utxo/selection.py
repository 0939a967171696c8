"""Which coins pay: an exact match if there is one, else coins drawn by lot, else the largest.

Branch and bound looks for coins that need no change, so that nothing is paid to make and later to spend it; of several matches
the one that wastes least. Where there is none, a single random draw mixes sizes (and tells an onlooker little). Largest first
is the last resort: the fewest inputs, so the lowest fee. Amounts in base units, weights in weight units (BIP141), rates in base
units per 1,000 vbytes. Pure: the draw's seed is passed in, so the same coins and seed give the same coins.
What must never happen here: a fee below the rate, a value made or lost, or a fee above the cap.
Sources: Murch, "An Evaluation of Coin Selection Strategies"; Bitcoin Core's src/wallet/coinselection.cpp.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from wallets.chains.protocol import InsufficientCoins, PayoutImpossible
from wallets.chains.utxo.transaction import compact_size

TRIES_MAX = 50_000
# Rates are per 1,000 vbytes of four weight units each: what is multiplied by this has no fraction left.
_SCALE = 4_000


class FeeAboveCap(PayoutImpossible):
    """It can be paid, but only at a fee above what is allowed."""

    code = "fees_too_high"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A coin that may be spent. `key` names it and breaks ties; `weight` is its input's, signed."""

    key: str
    amount: int
    weight: int


@dataclass(frozen=True, slots=True)
class Costs:
    """What is to be paid, and what the transaction weighs around its inputs.

    `base_weight` has everything but the inputs, their count and the change; `change_least` is what nodes relay.
    `long_term_rate` is what spending a coin costs on a quiet day: it tells whether one more input is a waste now.
    """

    target: int
    base_weight: int
    change_weight: int
    change_spend_weight: int
    change_least: int
    fee_rate: int
    long_term_rate: int
    fee_max: int | None = None
    inputs_max: int = 500

    def fee(self, coins: Sequence[Candidate], *, change: bool) -> int:
        """The exact fee of a transaction that spends these coins."""
        weight = self.base_weight + 4 * len(compact_size(len(coins))) + sum(coin.weight for coin in coins)
        size = (weight + (self.change_weight if change else 0) + 3) // 4
        return -(-size * self.fee_rate // 1000)

    @property
    def tolerance(self) -> int:
        """What making change now and spending it on a quiet day would cost: so much may rather go to the fee."""
        make = -(-self.change_weight * self.fee_rate // _SCALE)
        return make - (-self.change_spend_weight * min(self.fee_rate, self.long_term_rate) // _SCALE)

    def allows(self, fee: int) -> bool:
        return self.fee_max is None or fee <= self.fee_max


@dataclass(frozen=True, slots=True)
class Selection:
    """The choice. The coins' sum is target + change + fee; `change` 0 means that there is no such output."""

    coins: tuple[Candidate, ...]
    change: int
    fee: int
    how: Literal["exact", "drawn", "largest"]


def select(candidates: Sequence[Candidate], costs: Costs, *, seed: int) -> Selection:
    """Coins for the target and the fee. Raises InsufficientCoins, or FeeAboveCap when only the cap stands in the way."""
    assert costs.target > 0 and costs.fee_rate > 0 and costs.change_least > 0
    # A coin that costs more to spend than it holds only makes things worse.
    useful = [coin for coin in candidates if coin.amount * _SCALE > coin.weight * costs.fee_rate]
    found = branch_and_bound(useful, costs) or random_draw(useful, costs, seed=seed)
    if found is None or not costs.allows(found.fee):
        found = largest_first(useful, costs)
    if found is None:
        total = sum(coin.amount for coin in useful)
        raise InsufficientCoins(f"the coins at hand hold {total} base units; {costs.target} and the fee are needed")
    if not costs.allows(found.fee):
        raise FeeAboveCap(f"the fee would be {found.fee} base units, at most {costs.fee_max} are allowed")
    return found


def branch_and_bound(useful: Sequence[Candidate], costs: Costs) -> Selection | None:
    """Coins that match target and fee within the tolerance, at the least waste found in TRIES_MAX steps; None if none do."""
    worth = sorted(
        ((coin.amount * _SCALE - coin.weight * costs.fee_rate, coin) for coin in useful),
        key=lambda pair: (-pair[0], pair[1].key),
    )
    coins = [coin for _, coin in worth]
    values = [value for value, _ in worth]
    rest = [0] * (len(values) + 1)
    for index in reversed(range(len(values))):
        rest[index] = rest[index + 1] + values[index]
    # Necessary bounds only, rounding aside: `_match` then judges by the exact fee.
    least = costs.target * _SCALE + costs.base_weight * costs.fee_rate
    most = least + costs.tolerance * _SCALE + 16 * costs.fee_rate + _SCALE
    dearer = costs.fee_rate - costs.long_term_rate
    best: tuple[int, int] | None = None
    best_chosen: list[int] = []
    chosen: list[int] = []
    value = weight = index = 0
    for _ in range(TRIES_MAX):
        hopeless = value + rest[index] < least or value > most or len(chosen) > costs.inputs_max
        if not hopeless and best is not None and dearer > 0:
            hopeless = weight * dearer > best[0]
        if not hopeless and value >= least:
            waste = _match([coins[number] for number in chosen], costs)
            if waste is not None and (best is None or (waste, len(chosen)) < best):
                best, best_chosen = (waste, len(chosen)), chosen.copy()
            # One more coin can only help where rounding left the fee a little short.
            hopeless = waste is not None or index == len(values)
        if hopeless:
            if not chosen:
                break
            index = chosen.pop()
            value -= values[index]
            weight -= coins[index].weight
        elif not _twin_left_out(coins, chosen, index):
            chosen.append(index)
            value += values[index]
            weight += coins[index].weight
        index += 1
    if best is None:
        return None
    picked = tuple(coins[number] for number in best_chosen)
    return Selection(picked, 0, sum(coin.amount for coin in picked) - costs.target, "exact")


def _match(chosen: Sequence[Candidate], costs: Costs) -> int | None:
    """The waste of spending exactly these coins without change, scaled; None where they do not match."""
    paid = sum(coin.amount for coin in chosen) - costs.target
    excess = paid - costs.fee(chosen, change=False)
    if not 0 <= excess <= costs.tolerance or not costs.allows(paid) or len(chosen) > costs.inputs_max:
        return None
    return sum(coin.weight for coin in chosen) * (costs.fee_rate - costs.long_term_rate) + excess * _SCALE


def _twin_left_out(coins: Sequence[Candidate], chosen: Sequence[int], index: int) -> bool:
    """Whether the coin before is just like this one and was left out: what follows was tried with that one."""
    if index == 0 or (chosen and chosen[-1] == index - 1):
        return False
    return (coins[index - 1].amount, coins[index - 1].weight) == (coins[index].amount, coins[index].weight)


def random_draw(useful: Sequence[Candidate], costs: Costs, *, seed: int) -> Selection | None:
    """Coins in an order drawn by lot, until target, fee and a change that nodes relay are covered; None if never."""
    order = sorted(useful, key=lambda coin: coin.key)
    random.Random(seed).shuffle(order)  # noqa: S311 - a lottery among our own coins, not a secret
    return _until_covered(order, costs, with_change_only=True, how="drawn")


def largest_first(useful: Sequence[Candidate], costs: Costs) -> Selection | None:
    """The fewest coins; change where nodes would relay it."""
    order = sorted(useful, key=lambda coin: (-coin.amount, coin.key))
    return _until_covered(order, costs, with_change_only=False, how="largest")


def _until_covered(
    order: Sequence[Candidate], costs: Costs, *, with_change_only: bool, how: Literal["drawn", "largest"]
) -> Selection | None:
    total = 0
    for count, coin in enumerate(order[: costs.inputs_max], start=1):
        total += coin.amount
        if total < costs.target:
            continue
        coins = order[:count]
        fee = costs.fee(coins, change=True)
        change = total - costs.target - fee
        if change >= costs.change_least:
            return Selection(tuple(coins), change, fee, how)
        if not with_change_only and total >= costs.target + costs.fee(coins, change=False):
            return Selection(tuple(coins), 0, total - costs.target, how)
    return None
