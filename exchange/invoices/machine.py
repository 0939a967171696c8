"""The state of an invoice, as a function of what is known: everything that decides it lives here.

    New → Processing → Settled          all of it seen in time; all of it credited
    New → Expired                       not all of it seen in time (partly: paid_partial; in full afterwards: paid_late)
    Processing → New | Expired          a payment vanished (replaced, dropped)
    Processing → Invalid                not confirmed within the monitoring time
    Settled → Invalid                   a reorganisation took back what was credited

Pure: payments and the clock come in, a state goes out; the order in which news arrived makes no difference. What must never
happen here: an invoice settled by less than its amount, or by money that is not final.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    NEW = "new"
    PROCESSING = "processing"
    SETTLED = "settled"
    EXPIRED = "expired"
    INVALID = "invalid"


class Exception_(StrEnum):  # noqa: N801  (the field's own word, beside the built-in)
    NONE = ""
    PARTIAL = "paid_partial"
    OVER = "paid_over"
    LATE = "paid_late"
    REORGANISED = "reorganised"


@dataclass(frozen=True, slots=True)
class Payment:
    """Base units on their way or arrived; what vanished is not in the list."""

    amount: int
    seen_at: datetime
    credited: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """What was asked, until when it counts, and until when it is watched."""

    amount: int
    expires_at: datetime
    monitored_until: datetime


def judge(terms: Terms, payments: Sequence[Payment], *, was_settled: bool, now: datetime) -> tuple[State, Exception_]:
    """The state and its exception. `was_settled` tells whether the merchant was ever told so."""
    in_time = [payment for payment in payments if payment.seen_at < terms.expires_at]
    credited = sum(payment.amount for payment in in_time if payment.credited)
    seen, total = sum(payment.amount for payment in in_time), sum(payment.amount for payment in payments)
    over = Exception_.OVER if total > terms.amount else Exception_.NONE
    if credited >= terms.amount:
        return State.SETTLED, over
    if was_settled:
        return State.INVALID, Exception_.REORGANISED
    if seen >= terms.amount:
        return (State.PROCESSING if now < terms.monitored_until else State.INVALID), over
    if now < terms.expires_at:
        return State.NEW, Exception_.PARTIAL if seen else Exception_.NONE
    if total >= terms.amount:
        return State.EXPIRED, Exception_.LATE
    return State.EXPIRED, Exception_.PARTIAL if total else Exception_.NONE
