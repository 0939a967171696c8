"""One takeover, measured: the leader is stopped inside an open batch transaction, its standby answers in its place.

The clock runs from the SIGSTOP, noted by the stopped process itself as its last act, to the first reply of the new leader, as
the client hears it. In between the old one's row locks stand in the way of everybody.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import psycopg2

from tests.simulation.rig.engines import EngineProcess, Engines
from tests.simulation.rig.recorder import Recorder
from trading.runner import faults

STOPS_EACH = 40  # planned for every process; hits are counted for each of them


def plan() -> str:
    """Every second passage inside a transaction stops the process: the first of a reign lets it show that it leads."""
    return ",".join(f"{faults.INSIDE_TRANSACTION}:{nth}:SIGSTOP" for nth in range(3, 3 + 2 * STOPS_EACH, 2))


@dataclass(frozen=True, slots=True)
class Takeover:
    seconds: float
    lock_was_held: bool  # by the stopped process, on an account that the command needs


def take_over(
    engines: Engines, recorder: Recorder, leader: EngineProcess, standby: EngineProcess, *,
    command: Callable[[], tuple[str, bytes]], account_id: int, database_url: str,
) -> Takeover:  # fmt: skip
    """Send commands one by one until one stops the leader; the standby must answer that one. Then wake the old leader up, and
    wait until it stands by. `account_id`: an account that every command locks."""
    struck = len(leader.hits())
    uuid = ""
    while len(leader.hits()) == struck:
        uuid, body = command()
        recorder.send([(leader.shard, uuid, body)])
        until = time.monotonic() + 30
        while not recorder.told.replies.get(uuid) and len(leader.hits()) == struck:
            assert time.monotonic() < until, f"no reply, no fault:\n{leader.log}"
            time.sleep(0.001)
    hit = leader.hits()[-1]
    assert not recorder.told.replies.get(uuid), "told before it was committed"
    held = _is_locked(database_url, account_id)
    reply = recorder.reply(uuid)
    assert engines.leads(standby), f"somebody else answered:\n{standby.log}"
    fenced = leader.count("engine fenced")
    leader.send(signal.SIGCONT)
    engines.wait_until_fenced(leader, fenced + 1)
    engines.wait_until_standing_by(leader, fenced + 1)
    assert engines.leads(standby), "the woken leader took the lead back"
    assert [each.code for each in recorder.told.replies[str(UUID(uuid))]] == [reply.code], (
        "answered twice, and differently"
    )
    return Takeover(reply.at - hit.at, held)


def _is_locked(database_url: str, account_id: int) -> bool:
    connection = psycopg2.connect(database_url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM ledger_account WHERE id = %s FOR NO KEY UPDATE NOWAIT", (account_id,))
    except psycopg2.errors.LockNotAvailable:
        return True
    finally:
        connection.close()
    return False
