"""Commands for the engine's benchmark, and what brings them to its stream and counts the replies.

The mix is half new resting orders, four tenths cancels, one tenth market orders that sweep: 0.25 fills a command.
What must never happen here: a reply taken for granted, or a delay counted from later than the command was due.
"""

from __future__ import annotations

import random
import time
from uuid import uuid4

import orjson
import redis

BACKLOG = 6_000
CHUNK = 500
PROCESS = "bench"
SILENCE_S = 20.0
TICK_S = 0.001
SWEEPS = (15, 25)  # lots; the orders in the book have ten


def bodies(users: list[int], count: int, rng: random.Random, prefix: str) -> list[bytes]:
    """The commands, in the mix above. Cancels name their order by the client's id, so nothing waits for an answer."""
    from exchange.core.ids import uuid7
    from trading import wire

    at, made, resting = time.time_ns() // 1_000_000, [], []
    for number in range(count):
        head = {"uuid": uuid7(), "process": PROCESS, "asked_at_ms": at}
        draw = rng.random()
        if draw < 0.5 or not resting:
            user, buying, client = rng.choice(users), rng.random() < 0.5, f"{prefix}-{number}"
            price = rng.randint(4_990_00, 4_999_99) if buying else rng.randint(5_000_00, 5_009_99)
            made.append(
                wire.encode_place(
                    **head, user_id=user, market_id=1, side=1 if buying else 2, kind=1, time_in_force=1, price=price,
                    lots=10, quote_units=0, client_order_id=client,
                )
            )  # fmt: skip
            resting.append((user, client))
        elif draw < 0.9:
            at_random = rng.randrange(len(resting))
            resting[at_random], resting[-1] = resting[-1], resting[at_random]
            user, client = resting.pop()
            made.append(wire.encode_cancel(**head, user_id=user, order_id=0, client_order_id=client))
        else:
            made.append(
                wire.encode_place(
                    **head, user_id=rng.choice(users), market_id=1, side=rng.choice((1, 2)), kind=2, time_in_force=2,
                    price=0, lots=rng.choice(SWEEPS), quote_units=0, client_order_id=None,
                )
            )  # fmt: skip
    return made


class Feed:
    """Appends with the same script as the web processes, in calls made beforehand, and takes the replies."""

    def __init__(self) -> None:
        from django.conf import settings

        from trading import wire

        self.client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2 * SILENCE_S)
        self.sha = self.client.script_load(wire.APPEND)
        self.keys = (wire.stream(0).encode(), wire.generation(0).encode())
        self.replies = self.client.pubsub(ignore_subscribe_messages=True)
        self.replies.subscribe(wire.replies(PROCESS))
        self.codes: dict[str, int] = {}

    def calls(self, made: list[bytes]) -> list[bytes]:
        """One packed call a command."""
        generation = str(uuid4()).encode()

        def call(body: bytes) -> bytes:
            parts = [b"EVALSHA", self.sha.encode(), b"2", *self.keys, b"1000000", generation, body]
            return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)

        return list(map(call, made))

    def saturate(self, made: list[bytes]) -> float:
        """Seconds from the first append to the last reply, with at most BACKLOG commands waiting."""
        calls, sent, answered = self.calls(made), 0, 0
        chunks = [b"".join(calls[start : start + CHUNK]) for start in range(0, len(calls), CHUNK)]
        connection = self.client.connection_pool.get_connection()
        started = time.perf_counter()
        while answered < len(made):
            if sent < len(made) and sent - answered <= BACKLOG - CHUNK:
                connection.send_packed_command([chunks[sent // CHUNK]])
                size = min(CHUNK, len(made) - sent)
                for _ in range(size):
                    connection.read_response()
                sent += size
                answered += len(self._take(0.0))
            else:
                if not (got := len(self._take(SILENCE_S))):
                    raise SystemExit(f"no reply for {SILENCE_S:.0f} s, {len(made) - answered} are missing")
                answered += got
        seconds = time.perf_counter() - started
        self.client.connection_pool.release(connection)
        return seconds

    def steady(self, made: list[bytes], *, rate: int) -> list[float]:
        """Each command at its time, whatever has been answered by then: seconds from when it was due to its reply."""
        calls, places = self.calls(made), {orjson.loads(body)["id"]: place for place, body in enumerate(made)}
        delays: list[float] = []
        sent = 0
        connection = self.client.connection_pool.get_connection()
        started = heard = time.perf_counter()
        while len(delays) < len(made):
            now = time.perf_counter()
            due = min(len(calls), int((now - started) * rate) + 1)
            if due > sent:
                connection.send_packed_command([b"".join(calls[sent:due])])
                for _ in range(due - sent):
                    connection.read_response()
                sent = due
            wait_s = max(0.0, min(TICK_S, started + sent / rate - time.perf_counter()))
            for uuid in self._take(wait_s):
                heard = time.perf_counter()
                delays.append(heard - started - places[uuid] / rate)
            if now - heard > SILENCE_S:
                raise SystemExit(f"no reply for {SILENCE_S:.0f} s, {len(made) - len(delays)} are missing")
        self.client.connection_pool.release(connection)
        return delays

    def _take(self, timeout: float) -> list[str]:
        """The ids that were answered; waits so long for the first."""
        found: list[str] = []
        connection = self.replies.connection
        while connection.can_read(timeout=0.0 if found else timeout):
            # Its first bytes are here, the rest of a large message may still be on its way: that is waited for.
            message = self.replies.handle_message(
                connection.read_response(push_request=True), ignore_subscribe_messages=True
            )
            if message is None:
                continue
            for reply in orjson.loads(message["data"]):
                self.codes[reply["code"]] = self.codes.get(reply["code"], 0) + 1
                found.append(reply["id"])
        return found
