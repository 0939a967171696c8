"""The simulations share the trading tests' customers."""

from tests.integration.trading.conftest import money

__all__ = ["money"]
