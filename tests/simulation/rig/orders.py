"""Load of every order type, out of a seed: commands as bytes, for engines that run on their own.

Nobody mirrors the books here, so prices stand around a fixed middle, and cancels and amends name what the replies told. Mostly
sensible, sometimes refused, never malformed.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from tests.simulation.rig.recorder import Recorder, Reply
from trading import wire
from trading.engine.commands import PLAIN
from trading.engine.rules import Kind, MarketState, SelfTrade, TimeInForce

KNOWN_MAX = 500
Command = tuple[int, str, bytes]  # shard, UUID, body


@dataclass(frozen=True, slots=True)
class Pitch:
    """A market to send to: prices are drawn around `middle`, in ticks."""

    market_id: int
    shard: int
    middle: int
    width: int = 12


class Traders:
    """Commands of some customers in some markets. With `plain`, only what trades at once or rests, and cancels."""

    def __init__(
        self, recorder: Recorder, *, users: Sequence[int], pitches: Sequence[Pitch], seed: int, plain: bool = False
    ) -> None:
        self.rng = random.Random(seed)
        self.users = users
        self.pitches = pitches
        self._name = recorder.name
        self._known: dict[int, list[tuple[int, int]]] = {pitch.shard: [] for pitch in pitches}  # (user, order id)
        self._asked: dict[str, tuple[int, int]] = {}  # (shard, user) of what may become an order
        self._told: deque[tuple[str, Reply]] = deque()
        self._named = 0
        self._mix: list[tuple[int, Callable[[Pitch, int], bytes]]] = [
            (50, self._limit), (8, self._market), (25, self._cancel), (2, self._retried),
        ]  # fmt: skip
        if not plain:
            self._mix += [
                (5, self._iceberg), (5, self._post_only), (8, self._trigger), (4, self._trailing), (5, self._oco),
                (10, self._amend), (1, self._cancel_all), (1, self._countdown), (1, self._fees), (1, self._market_state),
            ]  # fmt: skip
        self._weights = [weight for weight, _ in self._mix]
        recorder.on_reply = lambda uuid, reply: self._told.append((uuid, reply))  # on the listener's thread

    def commands(self, count: int) -> list[Command]:
        return [self.command() for _ in range(count)]

    def command(self) -> Command:
        while self._told:
            self._remember(*self._told.popleft())
        rng = self.rng
        pitch, user = rng.choice(self.pitches), rng.choice(self.users)
        make = rng.choices(self._mix, self._weights)[0][1]
        self._uuid = UUID(int=rng.getrandbits(128), version=4)
        uuid = str(self._uuid)
        body = make(pitch, user)
        if make not in (self._cancel, self._amend, self._cancel_all, self._countdown, self._fees, self._market_state):
            self._asked[uuid] = (pitch.shard, user)
        return pitch.shard, uuid, body

    def _remember(self, uuid: str, reply: Reply) -> None:
        asked = self._asked.pop(uuid, None)
        if asked is None or reply.order is None or reply.code != wire.ACCEPTED:
            return
        shard, user = asked
        known = self._known[shard]
        if reply.order.state == 1:
            known.append((user, reply.order_id or 0))
            if len(known) > KNOWN_MAX:
                del known[: KNOWN_MAX // 2]

    # --- The kinds --------------------------------------------------------------------------------------------------

    def _head(self, user: int) -> dict[str, object]:
        return {"uuid": self._uuid, "process": self._name, "asked_at_ms": time.time_ns() // 1_000_000, "user_id": user}

    def _place(
        self, pitch: Pitch, user: int, *, side: int, kind: int, time_in_force: int, price: int = 0, lots: int = 0,
        quote: int = 0, client: str | None = None, **terms: object,
    ) -> bytes:  # fmt: skip
        if self.rng.random() < 0.3 and kind == Kind.LIMIT:
            terms.setdefault("self_trade", self.rng.choice(list(SelfTrade)))
        if time_in_force == TimeInForce.GTD:
            terms["expires_at"] = time.time_ns() // 1_000 + self.rng.randint(1, 1_500_000)
        stated = PLAIN.but(**terms) if terms else PLAIN
        return wire.encode_place(
            **self._head(user), market_id=pitch.market_id, side=side, kind=kind, time_in_force=time_in_force, price=price,
            lots=lots, quote_units=quote, client_order_id=client, terms=stated,
        )  # fmt: skip

    def _price(self, pitch: Pitch, width: int | None = None) -> int:
        width = width or pitch.width
        return max(1, pitch.middle + self.rng.randint(-width, width))

    def _side(self) -> int:
        return self.rng.choice((1, 2))

    def _client(self) -> str | None:
        if self.rng.random() > 0.3:
            return None
        self._named += 1
        return f"c{self._named}"

    def _limit(self, pitch: Pitch, user: int) -> bytes:
        tif = (
            self.rng.choice((1, 1, 1, 1, 1, 1, 2, 2)) if len(self._mix) < 5 else self.rng.choice((1, 1, 1, 1, 2, 3, 4))
        )
        return self._place(
            pitch, user, side=self._side(), kind=1, time_in_force=tif, price=self._price(pitch), lots=self._lots(),
            client=self._client(),
        )  # fmt: skip

    def _retried(self, pitch: Pitch, user: int) -> bytes:
        """A client's id that most probably was used before, perhaps on another shard in this very moment."""
        client = f"c{max(1, self._named - self.rng.randint(0, 3))}"
        return self._place(
            pitch, user, side=self._side(), kind=1, time_in_force=1, price=self._price(pitch), lots=1, client=client
        )

    def _market(self, pitch: Pitch, user: int) -> bytes:
        side, lots, quote = self._side(), self._lots(), 0
        if self.rng.random() < 0.3:
            lots, quote = 0, self.rng.randint(1, 20) * pitch.middle * 100
        return self._place(pitch, user, side=side, kind=2, time_in_force=2, lots=lots, quote=quote)

    def _iceberg(self, pitch: Pitch, user: int) -> bytes:
        return self._place(
            pitch, user, side=self._side(), kind=1, time_in_force=1, price=self._price(pitch), lots=self.rng.randint(10, 60),
            display_lots=self.rng.randint(1, 9),
        )  # fmt: skip

    def _post_only(self, pitch: Pitch, user: int) -> bytes:
        return self._place(
            pitch, user, side=self._side(), kind=1, time_in_force=1, price=self._price(pitch), lots=self._lots(),
            post_only=True,
        )  # fmt: skip

    def _trigger(self, pitch: Pitch, user: int) -> bytes:
        kind, side = self.rng.choice((3, 4, 5, 6)), self._side()
        up = (side == 1) == (kind in (3, 4))
        stop = max(1, pitch.middle + (1 if up else -1) * self.rng.randint(1, pitch.width))
        price = max(1, stop + self.rng.randint(-3, 3)) if kind in (4, 6) else 0
        return self._place(
            pitch, user, side=side, kind=kind, time_in_force=self.rng.choice((1, 1, 4)), price=price, lots=self._lots(),
            stop_price=stop,
        )  # fmt: skip

    def _trailing(self, pitch: Pitch, user: int) -> bytes:
        trail = self.rng.choice(
            ({"trail_ticks": self.rng.randint(1, 8)}, {"trail_ppm": self.rng.choice((10, 1_000, 10_000))})
        )
        return self._place(pitch, user, side=self._side(), kind=7, time_in_force=1, lots=self._lots(), **trail)

    def _oco(self, pitch: Pitch, user: int) -> bytes:
        side, away = self._side(), self.rng.randint(1, pitch.width)
        sign = 1 if side == 2 else -1
        stop = max(1, pitch.middle - sign * self.rng.randint(1, pitch.width))
        return wire.encode_oco(
            **self._head(user), market_id=pitch.market_id, side=side, time_in_force=1, lots=self._lots(),
            price=max(1, pitch.middle + sign * away), stop_price=stop, stop_limit_price=self.rng.choice((0, stop)),
            client_order_id=None, self_trade=1, slippage_ppm=0, expires_at=0,
        )  # fmt: skip

    def _amend(self, pitch: Pitch, user: int) -> bytes:
        owner, order_id = self._one_known(pitch, user)
        price, lots = self.rng.choice(((0, self.rng.randint(1, 12)), (self._price(pitch), 0), (self._price(pitch), 9)))
        return wire.encode_amend(
            **self._head(owner), order_id=order_id, client_order_id=None, price=price, lots=lots, stop_price=0
        )

    def _cancel(self, pitch: Pitch, user: int) -> bytes:
        known = self._known[pitch.shard]
        if known and self.rng.random() < 0.9:
            user, order_id = known.pop(self.rng.randrange(len(known)))
        else:
            user, order_id = self._one_known(pitch, user)
        return wire.encode_cancel(**self._head(user), order_id=order_id, client_order_id=None)

    def _one_known(self, pitch: Pitch, user: int) -> tuple[int, int]:
        known = self._known[pitch.shard]
        return self.rng.choice(known) if known else (user, 1024 + pitch.shard)

    def _cancel_all(self, pitch: Pitch, user: int) -> bytes:
        return wire.encode_cancel_all(
            **self._head(user), market_id=self.rng.choice((0, pitch.market_id)), side=self.rng.choice((0, 1, 2)),
            reason="user",
        )  # fmt: skip

    def _countdown(self, pitch: Pitch, user: int) -> bytes:
        until = time.time_ns() // 1_000 + self.rng.randint(100_000, 1_000_000)
        return wire.encode_countdown(**self._head(user), until=self.rng.choice((0, until)))

    def _fees(self, pitch: Pitch, user: int) -> bytes:
        maker, taker = self.rng.choice(((1_000, 2_000), (-300, 500), (0, 0)))
        return wire.encode_fees(**self._head(user), maker_fee_ppm=maker, taker_fee_ppm=taker)

    def _market_state(self, pitch: Pitch, user: int) -> bytes:
        """Mostly open, so that there is something to trade."""
        state = self.rng.choice((MarketState.OPEN,) * 8 + (MarketState.POST_ONLY,))
        return wire.encode_market_state(**self._head(user), market_id=pitch.market_id, state=int(state))

    def _lots(self) -> int:
        return self.rng.randint(1, 12)
