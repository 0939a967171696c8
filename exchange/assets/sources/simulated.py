"""A seeded, invented market for the demo and for tests, named "simulated" wherever it shows.

A price is a pure function of seed, asset and time: value noise of several periods around a fixed middle, in whole numbers.
Two processes agree on it without talking, and it can be asked about any moment. What must never happen here: a production
installation serving these numbers (`quotes` refuses where settings.DEMO is off).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from exchange.assets.sources import Quote

NAME = "simulated"
# The middle each price moves around, in millionths of a US dollar.
MIDDLE_MICRO_USD = {
    "BTC": 67_000_000_000, "LTC": 84_000_000, "ETH": 3_400_000_000, "USDT": 1_000_000,
    "EUR": 1_085_000, "GBP": 1_270_000, "CHF": 1_130_000,
}  # fmt: skip
# How far each period moves a price, in parts a million: hours swing widely, seconds hardly.
PERIODS_S_AND_PPM = ((86_400, 40_000), (14_400, 18_000), (3_600, 8_000), (600, 3_000), (60, 900), (10, 300))
PEGGED_DIVISOR = {
    "USDT": 60,
    "EUR": 20,
    "GBP": 20,
    "CHF": 20,
}  # a stable coin breathes, it does not swing; nor do currencies
_MICRO = Decimal(1_000_000)


def quotes(codes: Iterable[str], *, now: datetime) -> list[Quote]:
    """Simulated quotes for those codes that have a middle; refused outside the demo."""
    if not settings.DEMO:
        raise ImproperlyConfigured("The simulated price source belongs to the demo; set CMC_API_KEY instead.")
    seed = settings.PRICE_SIMULATION_SEED
    return [
        Quote(code=code, usd=price(code, at=now, seed=seed), as_of=now) for code in codes if code in MIDDLE_MICRO_USD
    ]


def price(code: str, *, at: datetime, seed: int) -> Decimal:
    """US dollars for one whole unit at that moment; the same for the same arguments, always."""
    at_ms = int((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
    moved_ppm = sum(
        _noise_ppm(code, seed, period_s * 1000, amplitude_ppm, at_ms) for period_s, amplitude_ppm in PERIODS_S_AND_PPM
    )
    moved_ppm //= PEGGED_DIVISOR.get(code, 1)
    micro_usd = MIDDLE_MICRO_USD[code] * (1_000_000 + moved_ppm) // 1_000_000
    return Decimal(micro_usd) / _MICRO


def _noise_ppm(code: str, seed: int, period_ms: int, amplitude_ppm: int, at_ms: int) -> int:
    """A straight line between two random heights, one at each end of the period the moment falls in."""
    step, into_ms = divmod(at_ms, period_ms)
    left, right = (_height_ppm(code, seed, period_ms, amplitude_ppm, s) for s in (step, step + 1))
    return left + (right - left) * into_ms // period_ms


def _height_ppm(code: str, seed: int, period_ms: int, amplitude_ppm: int, step: int) -> int:
    digest = hashlib.sha256(f"{seed}:{code}:{period_ms}:{step}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % (2 * amplitude_ppm + 1) - amplitude_ppm
