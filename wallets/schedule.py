"""This room's part of beat's timetable, static in code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

# A message nobody took within this many periods is dropped: the next one does its work.
EXPIRES_PERIODS = 3


def beat_schedule(*, networks: Iterable[str], seconds: float = 1.0) -> dict[str, dict[str, Any]]:
    """Scan and advance every `seconds`, look after each node every five of them."""

    def entry(task: str, every: float, *args: str) -> dict[str, Any]:
        options = {"queue": "chain", "expires": every * EXPIRES_PERIODS}
        return {"task": task, "schedule": every, "args": args, "options": options}

    entries = {
        "wallets-advance": entry("wallets.advance_withdrawals", seconds),
        "wallets-sweep": entry("wallets.sweep", 30 * seconds),
        "wallets-check-nonces": entry("wallets.check_nonces", 30 * seconds),
        "wallets-balance-cold": entry("wallets.balance_cold", 300 * seconds),
        "wallets-bump": entry("wallets.bump", 30 * seconds),
        "wallets-consolidate": entry("wallets.consolidate", 600 * seconds),
        "wallets-release-held": entry("wallets.release_held", 30 * seconds),
        "wallets-expire-confirmations": entry("wallets.expire_confirmations", 30.0),
    }
    for network in networks:
        entries[f"wallets-scan-{network}"] = entry("wallets.scan", seconds, network)
        entries[f"wallets-check-{network}"] = entry("wallets.check_network", 5 * seconds, network)
    return entries
