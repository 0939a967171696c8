"""Channels of a book's best levels: shown whole, when they differ from what was shown, at most ten times a second.

What must never happen here: a new reader whose levels are others than those that the next message is compared with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from trading.marketdata.channels import Channel

PAUSE_S = 0.1


class Depths:
    """`look` gives a channel's levels as they are now, None where they are not known; `tell` brings them to its readers."""

    def __init__(
        self, *, look: Callable[[Channel], dict[str, Any] | None], tell: Callable[[str, dict[str, Any]], None]
    ) -> None:
        self._look, self._tell = look, tell
        self._shown: dict[Channel, dict[str, Any] | None] = {}
        self._at: dict[Channel, float] = {}
        self._due: set[Channel] = set()

    def state(self, channel: Channel) -> dict[str, Any] | None:
        """What its readers have been shown."""
        if self._shown.get(channel) is None:
            self._shown[channel] = self._look(channel)
        return self._shown[channel]

    def forget(self, channel: Channel) -> None:
        """Nobody reads it any more."""
        self._shown.pop(channel, None)
        self._at.pop(channel, None)

    def start_over(self, market: str) -> None:
        """The market's book was lost, or read again."""
        for channel in self._shown:
            if channel.market == market:
                self._shown[channel] = None

    def changed(self, market: str) -> None:
        """The market's book is another now."""
        loop = asyncio.get_running_loop()
        for channel in self._shown:
            if channel.market == market and channel not in self._due:
                self._due.add(channel)
                at = self._at.get(channel, 0.0) + PAUSE_S
                if at <= loop.time():
                    self._show(channel)
                else:
                    loop.call_at(at, self._show, channel)

    def _show(self, channel: Channel) -> None:
        self._due.discard(channel)
        shown = self._shown.get(channel)
        if shown is None:
            return  # it starts over with a snapshot, or nobody reads it
        self._at[channel] = asyncio.get_running_loop().time()
        now = self._look(channel)
        if now is not None and (now["bids"], now["asks"]) != (shown["bids"], shown["asks"]):
            self._shown[channel] = now
            self._tell(channel.name, now)
