"""How long a shard is without an answer when its leader stops in the worst place: inside an open batch transaction.

Two real engine processes. The leader is stopped with SIGSTOP while it holds row locks, by itself, at the named point; the clock
runs until the client hears the first reply of the other one. Then the old one wakes up, must commit nothing, and is the next
standby. Once with a nearly empty book and once with BENCH_OPEN_ORDERS of them, which the new leader loads from the tables.
What must never happen here: a figure from a run in which the stopped leader held no lock, or committed after all.

Run by `make bench-takeover`; BENCH_TAKEOVERS, BENCH_OPEN_ORDERS set the size.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from datetime import UTC, datetime
from uuid import uuid4

import redis

from config import embedded
from tests.simulation.rig import house

TAKEOVERS = int(os.environ.get("BENCH_TAKEOVERS", "10"))
OPEN_ORDERS = int(os.environ.get("BENCH_OPEN_ORDERS", "100000"))
TAKEOVERS_LOADED = 3
CUSTOMERS = 200
AT_ONCE = 500
FAR = 10_000_000


def main() -> None:
    os.environ.setdefault("BOURSE_STATE", str(embedded.state_folder()))
    house.prepare("bench_takeover", durable=True)
    from django.conf import settings

    from exchange.ledger import reconciliation
    from tests.simulation.rig import books
    from tests.simulation.rig.engines import Engines
    from tests.simulation.rig.recorder import Recorder

    client = redis.Redis.from_url(settings.REDIS_URL)
    client.flushdb()
    house.fund(range(1, CUSTOMERS + 1), {1: 10**16, 4: 10**16})
    recorder = Recorder(settings.REDIS_URL)
    with Engines(embedded.state_folder() / "takeover", client) as engines:
        pair = [engines.start(faulty=True)]
        engines.wait_until_leading(pair[0])
        pair.append(engines.start(faulty=True))
        engines.wait_until_standing_by(pair[1])
        empty = measure(engines, recorder, pair, TAKEOVERS)
        fill(recorder, OPEN_ORDERS)
        loaded = measure(engines, recorder, pair, TAKEOVERS_LOADED)
    findings = books.against_the_tables(recorder, os.environ["DATABASE_URL"])
    books.verify(findings, shards=[0])
    report = reconciliation.run(now=datetime.now(UTC))
    recorder.close()
    if findings or not report.ok:
        raise SystemExit(f"the books do not agree: {findings}\n{report}")
    for name, times in (("a nearly empty book", empty), (f"{OPEN_ORDERS} open orders", loaded)):
        print(f"  {name:24} median {statistics.median(times):.3f} s, most {max(times):.3f} s, of {len(times)}")
    figures = {
        "takeover_s": round(statistics.median(empty), 3), "takeover_s_most": round(max(empty), 3),
        f"takeover_s_{OPEN_ORDERS // 1_000}k": round(statistics.median(loaded), 3),
    }  # fmt: skip
    print(json.dumps({"bench": "takeover", "figures": figures}))


def measure(engines: object, recorder: object, pair: list, times: int) -> list[float]:
    """`pair`: leader and standby; they change places each time."""
    from exchange.ledger import selectors as ledger
    from tests.simulation.rig.takeover import take_over

    account = ledger.account_ids(owner_id=1)[1]
    found = []
    for _ in range(times):
        done = take_over(
            engines, recorder, pair[0], pair[1], command=lambda: order(recorder, user=1, price=FAR), account_id=account,
            database_url=os.environ["ENGINE_DATABASE_URL"],
        )  # fmt: skip
        if not done.lock_was_held:
            raise SystemExit("the stopped leader held no lock; this figure would say nothing")
        found.append(done.seconds)
        pair.reverse()
    return found


def fill(recorder: object, count: int) -> None:
    """Offers at prices that nobody takes."""
    for start in range(0, count, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, count))
        recorder.send([(0, *order(recorder, user=1 + n % CUSTOMERS, price=FAR + 1 + n % 5_000)) for n in numbers])
        if not recorder.wait(lambda: recorder.unanswered < 10 * AT_ONCE, 60):
            raise SystemExit("the engine does not keep up")
    if not recorder.wait_for_all(120):
        raise SystemExit(f"{recorder.unanswered} orders were never answered")


def order(recorder: object, *, user: int, price: int) -> tuple[str, bytes]:
    from trading import wire

    uuid = uuid4()
    return str(uuid), wire.encode_place(
        uuid=uuid, process=recorder.name, asked_at_ms=time.time_ns() // 1_000_000, user_id=user, market_id=1, side=2, kind=1,
        time_in_force=1, price=price, lots=1, quote_units=0, client_order_id=None,
    )  # fmt: skip


if __name__ == "__main__":
    main()
