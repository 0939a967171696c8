"""Figures of the market data room. What must never happen here: a label with a customer in it."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

LOST = Counter("bourse_marketdata_feed_lost_total", "Times that the market data feed's connection was lost.")
GAPS = Counter("bourse_marketdata_gaps_total", "Holes found in a market's sequence.", ["market"])
MESSAGES = Counter("bourse_marketdata_messages_total", "Messages encoded for readers, by kind of channel.", ["kind"])
READERS = Gauge("bourse_marketdata_subscriptions", "Subscriptions that stand now.")
CONFLATED = Counter(
    "bourse_marketdata_conflated_total",
    "Updates that a reader got inside another one: for all readers of a channel (the process is behind), or one slow one.",
    ["why"],
)
CONFLATED_FOR_ALL, CONFLATED_FOR_ONE = CONFLATED.labels("process"), CONFLATED.labels("reader")
RESTARTED = Counter(
    "bourse_marketdata_restarted_total", "Readers so slow that a channel was started over, with a notice of the gap."
)
