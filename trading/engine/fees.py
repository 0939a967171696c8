"""Fees: parts per million of what a side receives, in the asset it receives; below zero it is a rebate.

The rounding rule, the only one in trading: a fee is rounded **up** to the next whole base unit, a rebate **towards zero**.
Both are the same, the ceiling of the signed amount: the customer never gains a fraction, the house never gains more than
one base unit a fill, and a fee never exceeds what was received.
What must never happen here: a float.
"""

from __future__ import annotations

from trading.engine.rules import PPM


def fee(received: int, *, ppm: int) -> int:
    """The fee in base units on `received` base units, rounded up (a rebate: towards zero)."""
    return -(-(received * ppm) // PPM)
