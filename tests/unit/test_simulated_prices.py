"""The simulated market: the same for everybody, smooth, bounded, and refused outside the demo."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from exchange.assets.sources import simulated

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
moments = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


@given(st.sampled_from(sorted(simulated.MIDDLE_MICRO_USD)), moments, st.integers(0, 10**6))
def test_a_price_is_a_function_of_seed_and_time_and_stays_in_its_bounds(code, at, seed):
    price = simulated.price(code, at=at, seed=seed)
    assert price == simulated.price(code, at=at, seed=seed)
    middle = Decimal(simulated.MIDDLE_MICRO_USD[code]) / 1_000_000
    reach = sum(ppm for _, ppm in simulated.PERIODS_S_AND_PPM)
    assert abs(price / middle - 1) <= Decimal(reach) / 1_000_000 + Decimal("0.000001")


@given(moments)
def test_it_does_not_jump_within_a_second(at):
    before, after = (simulated.price("BTC", at=at + timedelta(seconds=s), seed=1) for s in (0, 1))
    assert abs(after / before - 1) < Decimal("0.001")


def test_it_moves_within_a_minute_and_by_seed():
    minute = {simulated.price("BTC", at=NOON + timedelta(seconds=s), seed=1) for s in range(0, 60, 5)}
    assert len(minute) > 6
    assert simulated.price("BTC", at=NOON, seed=1) != simulated.price("BTC", at=NOON, seed=2)


def test_a_pegged_coin_hardly_moves():
    day = [simulated.price("USDT", at=NOON + timedelta(minutes=m), seed=3) for m in range(0, 1440, 10)]
    assert max(day) - min(day) < Decimal("0.003")


def test_it_is_refused_outside_the_demo(settings):
    settings.DEMO = False
    with pytest.raises(ImproperlyConfigured, match="demo"):
        simulated.quotes(["BTC"], now=NOON)
    settings.DEMO = True
    assert [q.code for q in simulated.quotes(["BTC", "XYZ"], now=NOON)] == ["BTC"]
