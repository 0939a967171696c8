"""What is limited, and over which stretches of time. Names and numbers only: everybody who counts limits shares them.

What must never happen here: a kind that nobody counts (`uses` refuses to answer for it).
"""

from __future__ import annotations

DEPOSIT, WITHDRAWAL = "deposit", "withdrawal"
FIAT_IN, FIAT_OUT = "fiat_in", "fiat_out"
TRADING = "trading"
KINDS = (DEPOSIT, WITHDRAWAL, FIAT_IN, FIAT_OUT, TRADING)
TITLES = {
    DEPOSIT: "Coin deposits",
    WITHDRAWAL: "Coin withdrawals",
    FIAT_IN: "Bank deposits",
    FIAT_OUT: "Bank withdrawals",
    TRADING: "Trading",
}

# Both roll: a day is the last 24 hours, a month the last 30 days.
DAY_S = 86_400
MONTH_S = 30 * DAY_S
WINDOWS = (DAY_S, MONTH_S)
PERIODS = {DAY_S: "24 hours", MONTH_S: "30 days"}
