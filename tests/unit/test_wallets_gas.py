"""What a sweep's gas costs: enough with a margin, what is there counted in, and never more than it can pay."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wallets.chains.evm.payout import Fees
from wallets.services import gas

GWEI = 10**9
PRICES = st.integers(1, 10**12)


@st.composite
def fees(draw):
    base, tip = draw(PRICES), draw(PRICES)
    return Fees(base, 2 * base + tip, tip)


@given(fees(), st.integers(21_000, 2_000_000), st.integers(0, 10**19))
def test_what_is_sent_and_what_is_there_pay_for_the_sweep_even_when_prices_rise(prices, limit, available):
    missing = gas.to_send(gas_limit=limit, fees=prices, available=available)
    need = limit * prices.max_fee_per_gas
    if available >= need:
        assert missing == 0
    else:
        assert available + missing == need * 3 // 2


@given(fees(), st.integers(21_000, 2_000_000), st.integers(0, 10**19))
def test_a_sweep_offers_no_more_than_it_has_and_no_less_than_a_block_takes(prices, limit, available):
    found = gas.affordable(gas_limit=limit, fees=prices, available=available)
    if found is None:
        assert available < limit * (prices.base_fee + prices.max_priority_fee_per_gas)
        return
    assert limit * found.max_fee_per_gas <= available
    assert prices.base_fee + prices.max_priority_fee_per_gas <= found.max_fee_per_gas <= prices.max_fee_per_gas
    assert found.max_priority_fee_per_gas == prices.max_priority_fee_per_gas


def test_one_gas_price_is_paid_or_waited_for():
    price = Fees(0, 10 * GWEI, 10 * GWEI, legacy=True)
    assert gas.affordable(gas_limit=100_000, fees=price, available=100_000 * 10 * GWEI) == price
    assert gas.affordable(gas_limit=100_000, fees=price, available=100_000 * 10 * GWEI - 1) is None


@given(fees())
def test_a_flat_fee_is_one_price_that_a_block_takes(prices):
    flat = prices.flat()
    assert flat.max_fee_per_gas == flat.max_priority_fee_per_gas >= prices.base_fee + prices.max_priority_fee_per_gas
