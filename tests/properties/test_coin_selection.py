"""Coin selection against a reference that tries every subset: nothing made, nothing lost, nothing paid too little."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from wallets.chains.protocol import InsufficientCoins, PayoutImpossible
from wallets.chains.utxo import selection
from wallets.chains.utxo.selection import Candidate, Costs, FeeAboveCap

P2WPKH = 271  # weight of an input; a multisig of 2 of 3 has about 420
weights = st.sampled_from([P2WPKH, P2WPKH, P2WPKH, 420])
# Few values and near ones, so that twins and near matches are common.
amounts = st.one_of(st.integers(300, 20_000), st.sampled_from([1_000, 5_000, 10_000, 100_000]), st.integers(1, 10**9))


@st.composite
def pools(draw, size_max=9):
    coins = draw(st.lists(st.tuples(amounts, weights), min_size=1, max_size=size_max))
    return [Candidate(f"{number:02}", amount, weight) for number, (amount, weight) in enumerate(coins)]


@st.composite
def costs(draw, fee_max=False):
    return Costs(
        target=draw(amounts),
        base_weight=draw(st.integers(160, 1_000)),
        change_weight=124,
        change_spend_weight=P2WPKH,
        change_least=draw(st.sampled_from([294, 2_940])),
        fee_rate=draw(st.one_of(st.integers(1_000, 30_000), st.integers(1, 500_000))),
        long_term_rate=10_000,
        fee_max=draw(st.one_of(st.none(), st.integers(100, 50_000))) if fee_max else None,
    )


def subsets(coins):
    return (each for count in range(1, len(coins) + 1) for each in combinations(coins, count))


def worth_spending(coins, asked):
    return [coin for coin in coins if coin.amount * 4_000 > coin.weight * asked.fee_rate]


def waste(chosen, asked):
    """As the field defines it: the inputs at today's price over a quiet day's, and what is overpaid."""
    overpaid = sum(coin.amount for coin in chosen) - asked.target - asked.fee(chosen, change=False)
    return sum(coin.weight for coin in chosen) * (asked.fee_rate - asked.long_term_rate) + overpaid * 4_000


def exact(chosen, asked):
    left = sum(coin.amount for coin in chosen) - asked.target
    return 0 <= left - asked.fee(chosen, change=False) <= asked.tolerance and asked.allows(left)


def check(found, coins, asked):
    assert len({coin.key for coin in found.coins}) == len(found.coins)
    assert set(found.coins) <= set(coins)
    assert sum(coin.amount for coin in found.coins) == asked.target + found.change + found.fee
    assert found.fee >= asked.fee(found.coins, change=bool(found.change))
    assert found.change == 0 or found.change >= asked.change_least
    assert asked.allows(found.fee)
    # Beyond the exact fee goes only what change would have cost, or what nodes would not relay.
    spare = asked.fee(found.coins, change=True) - asked.fee(found.coins, change=False) + asked.change_least
    assert found.fee - asked.fee(found.coins, change=bool(found.change)) <= max(spare, asked.tolerance)


@settings(max_examples=400, deadline=None)
@given(pools(), costs(), st.integers(0, 2**64))
@example([Candidate("00", 10_000, P2WPKH)], Costs(8_000, 200, 124, P2WPKH, 294, 1_000, 10_000), 0)
def test_what_is_chosen_pays_exactly_and_never_too_little(coins, asked, seed):
    try:
        found = selection.select(coins, asked, seed=seed)
    except InsufficientCoins:
        everything = worth_spending(coins, asked)
        assert not everything or sum(c.amount for c in everything) < asked.target + asked.fee(everything, change=False)
        return
    check(found, coins, asked)


@settings(max_examples=400, deadline=None)
@given(pools(), costs(fee_max=True))
def test_branch_and_bound_finds_a_match_exactly_where_there_is_one_and_the_least_wasteful(coins, asked):
    useful = worth_spending(coins, asked)
    found = selection.branch_and_bound(useful, asked)
    matches = [each for each in subsets(useful) if exact(each, asked)]
    assert (found is None) == (not matches)
    if found is not None:
        assert exact(found.coins, asked)
        # A match that stays one without some of its coins is not looked for; of the rest the least wasteful is found.
        minimal = [each for each in matches if not any(set(other) < set(each) for other in matches)]
        assert waste(found.coins, asked) <= min(waste(each, asked) for each in minimal)


@settings(max_examples=200, deadline=None)
@given(pools(), costs(fee_max=True), st.integers(0, 2**64))
def test_a_cap_is_kept_and_refuses_only_when_nothing_stays_below_it(coins, asked, seed):
    try:
        check(selection.select(coins, asked, seed=seed), coins, asked)
    except FeeAboveCap:
        # The fewest coins are the cheapest: not even they stay below the cap.
        found = selection.largest_first(worth_spending(coins, asked), asked)
        assert found is not None
        assert not asked.allows(found.fee)
    except InsufficientCoins:
        pass


@settings(max_examples=100, deadline=None)
@given(pools(size_max=30), costs(), st.integers(0, 2**64), st.randoms(use_true_random=False))
def test_the_same_coins_and_seed_give_the_same_coins_in_whatever_order_they_come(coins, asked, seed, shuffler):
    shuffled = coins.copy()
    shuffler.shuffle(shuffled)
    try:
        first = selection.select(coins, asked, seed=seed)
    except PayoutImpossible as refused:
        with pytest.raises(type(refused)):
            selection.select(shuffled, asked, seed=seed)
        return
    assert selection.select(shuffled, asked, seed=seed) == first


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**64), st.integers(0, 2**64))
def test_another_seed_may_draw_other_coins(one, other):
    """Forty like coins: two draws of ten out of them are alike once in a billion."""
    assume(one != other)
    coins = [Candidate(f"{number:02}", 100_000 + 7 * number, P2WPKH) for number in range(40)]
    asked = Costs(950_000, 200, 124, P2WPKH, 294, 5_000, 10_000)
    useful = worth_spending(coins, asked)
    drawn = [selection.random_draw(useful, asked, seed=seed) for seed in (one, other)]
    assert all(found is not None and found.change >= 294 for found in drawn)
    assert set(drawn[0].coins) != set(drawn[1].coins)


def test_a_match_that_rounding_leaves_short_is_made_whole_by_one_more_coin():
    """The first coin's worth covers the target to the fraction of a vbyte; sizes are whole, so the exact fee is a little more."""
    first, second = Candidate("a", 111_800, P2WPKH), Candidate("b", 7_375, P2WPKH)
    asked = Costs(100_000, 201, 124, P2WPKH, 294, 100_000, 10_000)
    assert asked.fee([first], change=False) == first.amount - asked.target + 100
    found = selection.branch_and_bound([first, second], asked)
    assert found is not None
    assert set(found.coins) == {first, second}


def test_four_hundred_coins_that_nearly_match_end_in_a_bounded_search():
    coins = [Candidate(f"{number:03}", 2 * (100_000 + number * number), P2WPKH) for number in range(400)]
    asked = Costs(9_999_999, 200, 124, P2WPKH, 294, 1_000, 10_000)
    check(selection.select(coins, asked, seed=1), coins, asked)


def test_each_way_is_taken_when_the_one_before_finds_nothing():
    asked = Costs(100_000, 200, 124, P2WPKH, 294, 1_000, 10_000)
    fee = asked.fee([Candidate("a", 1, P2WPKH)], change=False)

    def how(*amounts):
        coins = [Candidate(f"{number}", amount, P2WPKH) for number, amount in enumerate(amounts)]
        return selection.select(coins, asked, seed=3).how

    assert how(100_000 + fee, 70_000, 80_000) == "exact"
    assert how(70_000, 80_000, 90_000) == "drawn"
    assert how(100_000 + fee + asked.tolerance + 1) == "largest"  # too much to match, too little for change
