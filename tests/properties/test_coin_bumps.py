"""Replacements, cancellations and children of any payout: the same payments, a shared input, a fee that nodes take."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from wallets.chains import registry
from wallets.chains.protocol import InsufficientCoins, PayoutImpossible
from wallets.chains.utxo import bump, payout
from wallets.chains.utxo.payout import Change, Coin, Payment
from wallets.chains.utxo.selection import FeeAboveCap

BITCOIN = registry.rules("bitcoin", network="regtest")
PARAMETERS = BITCOIN.parameters
OUTSIDE = BITCOIN.address(b"\x00\x14" + b"\x05" * 20)
OURS = BITCOIN.address(b"\x00\x14" + b"\x06" * 20)
CHANGE = Change(OURS, "m/84'/1'/1'/1/0")
amounts = st.lists(st.integers(2_000, 10**7), min_size=1, max_size=8)
rates = st.integers(1_000, 200_000)


def coins(values, first=0):
    return [
        Coin(f"{first + number:064x}", 0, amount, b"\x00\x14" + number.to_bytes(20, "big"), "m/84'/1'/0'/0/0")
        for number, amount in enumerate(values)
    ]


@st.composite
def payouts(draw):
    paid = [Payment(OUTSIDE, amount, f"w{number}") for number, amount in enumerate(draw(amounts))]
    total = sum(payment.amount for payment in paid)
    ours = coins([draw(st.integers(total // 2 + 20_000, 2 * total + 10**6)) for _ in range(4)])
    return payout.build(
        parameters=PARAMETERS,
        coins=ours,
        payments=paid,
        change=CHANGE,
        fee_rate=draw(rates),
        seed=draw(st.integers(0, 9)),
    )


def paid_by(unsigned):
    return [
        (output.address, output.amount, output.withdrawal_id) for output in unsigned.outputs if output.withdrawal_id
    ]


def takes_its_place(new, old, replaced_fees):
    """BIP125 rules 2 to 4 as nodes check them, and that the two can never both be mined."""
    size = new.vsize(PARAMETERS)
    assert {coin.outpoint for coin in old.inputs} <= {coin.outpoint for coin in new.inputs}
    assert len({coin.outpoint for coin in new.inputs}) == len(new.inputs)
    assert new.fee >= replaced_fees + payout.fee_of(size, PARAMETERS.incremental_fee_rate)
    assert new.sequence < 0xFFFFFFFE
    assert payout.from_json(new.to_json()) == new


@settings(max_examples=200, deadline=None)
@given(payouts(), rates, st.integers(0, 50_000), st.lists(st.integers(1_000, 10**7), max_size=5))
def test_a_bump_pays_the_same_at_the_rate_and_takes_the_place_of_what_was(old, rate, descendants, spare):
    replaced = old.fee + descendants
    further = coins(spare, first=1_000)
    try:
        new = bump.replacement(
            old, parameters=PARAMETERS, fee_rate=rate, replaced_fees=replaced, change=CHANGE, spare=further
        )
    except InsufficientCoins:
        everything = sum(coin.amount for coin in (*old.inputs, *further)) - sum(amount for _, amount, _ in paid_by(old))
        size = payout.vsize(len(old.inputs) + len(further), [b"\x00\x14" + b"\x05" * 20] * len(paid_by(old)))
        assert everything < max(payout.fee_of(size, rate), replaced + payout.fee_of(size, 1_000))
        return
    assert paid_by(new) == paid_by(old)
    assert len(new.outputs) - len(paid_by(new)) <= 1
    assert all(output.amount >= BITCOIN.dust(output.address) for output in new.outputs)
    assert new.fee >= payout.fee_of(new.vsize(PARAMETERS), rate)
    takes_its_place(new, old, replaced)
    with pytest.raises(FeeAboveCap):
        bump.replacement(
            old, parameters=PARAMETERS, fee_rate=rate, replaced_fees=replaced, change=CHANGE, spare=further,
            fee_max=new.fee - 1,
        )  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(payouts(), rates)
def test_a_cancellation_pays_nobody_but_ourselves(old, rate):
    try:
        new = bump.cancellation(old, parameters=PARAMETERS, fee_rate=rate, replaced_fees=old.fee, change=CHANGE)
    except InsufficientCoins:
        assume(False)
    assert [(output.address, output.path, output.withdrawal_id) for output in new.outputs] == [(OURS, CHANGE.path, "")]
    assert new.inputs == old.inputs
    takes_its_place(new, old, old.fee)


@settings(max_examples=200, deadline=None)
@given(payouts(), rates)
def test_a_child_and_its_parent_pay_the_rate_together(parent, rate):
    size = parent.vsize(PARAMETERS)
    try:
        made = bump.child(
            parent, txid="ab" * 32, parameters=PARAMETERS, fee_rate=rate, package_fee=parent.fee, package_size=size,
            change=CHANGE,
        )  # fmt: skip
    except PayoutImpossible as impossible:
        change = [output.amount for output in parent.outputs if output.path]
        child_size = payout.vsize(1, [BITCOIN.parse(OURS).key])
        wanted = max(payout.fee_of(size + child_size, rate) - parent.fee, payout.fee_of(child_size, rate))
        assert (impossible.code == "no_change") == (not change)
        assert not change or change[0] < wanted + BITCOIN.dust(OURS)
        return
    (coin,) = made.inputs
    assert (coin.txid, parent.outputs[coin.vout].path, coin.amount) == (
        "ab" * 32,
        CHANGE.path,
        parent.outputs[coin.vout].amount,
    )
    assert (parent.fee + made.fee) * 1_000 >= rate * (size + made.vsize(PARAMETERS))
    assert made.fee >= payout.fee_of(made.vsize(PARAMETERS), rate)


def test_what_goes_to_a_cold_wallet_is_a_payment_and_never_taken_for_change():
    cold = Payment(OUTSIDE, 500_000, path="cold/0/7")
    old = payout.build(parameters=PARAMETERS, coins=coins([10**6]), payments=[cold], change=CHANGE, fee_rate=1_000)
    assert [output.cold for output in old.outputs] == ["0/7", ""]
    assert bump.change_of(old) == 1
    new = bump.replacement(old, parameters=PARAMETERS, fee_rate=9_000, replaced_fees=old.fee, change=CHANGE)
    assert (new.outputs[0], new.outputs[1].amount) == (old.outputs[0], old.outputs[1].amount - (new.fee - old.fee))
