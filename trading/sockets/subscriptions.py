"""One connection's channels: all of a subscribe or none of it, its answer before the first snapshot.

What must never happen here: a private channel for somebody who is not logged in, or a channel left behind by a reader who went.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exchange.accounts.api import admission
from exchange.core import errors
from trading.marketdata import channels
from trading.marketdata.hub import Hub
from trading.marketdata.mailbox import encode
from trading.marketdata.outgoing import Outgoing
from trading.sockets.messages import Message, TooManyChannels, limit


class Subscriptions:
    """By name, and whose they are."""

    def __init__(self, hub: Hub, outgoing: Outgoing) -> None:
        self._hub, self._outgoing = hub, outgoing
        self._by_name: dict[str, tuple[channels.Channel, int | None]] = {}

    async def add(
        self, message: Message, *, log_in: admission.LogIn | None, answer: Callable[[list[str]], None]
    ) -> None:
        """Raises ChannelInvalid, NotAuthenticated, ScopeMissing, TooManyChannels, MarketNotFound and the hub's errors."""
        wanted = _channels(message)
        user_id = log_in.user_id if log_in is not None else None
        if any(channel.private for channel in wanted):
            if log_in is None:
                raise errors.NotAuthenticated(
                    "Please log in for orders, fills, balances and notifications.", param="channels"
                )
            log_in.require("read")
        fresh = [channel for channel in wanted if channel.name not in self._by_name]
        if len(self._by_name) + len(fresh) > limit("channels"):
            raise TooManyChannels(f"One connection has at most {limit('channels')} channels.", param="channels")
        markets = {channel.market for channel in fresh if channel.market}
        await self._hub.require(markets)
        self._outgoing.paused = True
        joined: list[channels.Channel] = []
        try:
            for channel in fresh:
                await self._join(channel, user_id)
                joined.append(channel)
                self._by_name[channel.name] = (channel, user_id)
            # Answers go out before channels, so this one before the snapshots that wait behind the pause.
            answer([channel.name for channel in wanted])
        except BaseException:
            for channel in joined:
                self._by_name.pop(channel.name, None)
                await self._leave(channel, user_id)
            raise
        finally:
            self._outgoing.paused = False

    async def remove(self, message: Message) -> list[str]:
        """The names; of those that were none of ours, nothing changes. Raises ChannelInvalid."""
        wanted = _channels(message)
        for channel in wanted:
            if found := self._by_name.pop(channel.name, None):
                await self._leave(*found)
        return [channel.name for channel in wanted]

    async def close(self) -> None:
        while self._by_name:
            _, found = self._by_name.popitem()
            await self._leave(*found)

    async def settle(self, name: str, *, user_id: int | None) -> None:
        """The reader was too slow for this channel: say so, and start it over."""
        found = self._by_name.get(name)
        if found is None:
            return
        channel, _ = found
        await self._outgoing.say(encode(name, "gap", {"reason": "slow_reader"}).text)
        if channel.private:
            assert user_id is not None
            await self._hub.private.snapshot(channel.kind, user_id, self._outgoing.mailbox)
        else:
            self._hub.resync(channel, self._outgoing.mailbox)

    async def _join(self, channel: channels.Channel, user_id: int | None) -> None:
        if channel.private:
            assert user_id is not None
            await self._hub.private.subscribe(channel.kind, user_id, self._outgoing.mailbox)
        else:
            await self._hub.subscribe(channel, self._outgoing.mailbox)

    async def _leave(self, channel: channels.Channel, user_id: int | None) -> None:
        if channel.private:
            assert user_id is not None
            await self._hub.private.unsubscribe(channel.kind, user_id, self._outgoing.mailbox)
        else:
            self._hub.unsubscribe(channel, self._outgoing.mailbox)


def _channels(message: dict[str, Any]) -> list[channels.Channel]:
    names = message.get("channels")
    if not isinstance(names, list) or not 1 <= len(names) <= limit("channels"):
        raise channels.ChannelInvalid(f"channels is a list of 1 to {limit('channels')} names.", param="channels")
    return list({channel.name: channel for channel in map(channels.parse, names)}.values())
