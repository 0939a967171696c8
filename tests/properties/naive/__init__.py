"""The reference: an exchange of every order type and rule, funds included, written as plainly as it can be.

Read state.py, checks.py, matching.py, triggers.py, exchange.py. What must never happen here: an import of trading.engine.
"""

from tests.properties.naive.exchange import NaiveExchange
from tests.properties.naive.state import NaiveOrder

__all__ = ["NaiveExchange", "NaiveOrder"]
