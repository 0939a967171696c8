"""One takeover, measured: the leader is stopped inside an open batch transaction, its standby answers in its place.

The clock runs from the SIGSTOP, noted by the stopped process itself as its last act, to the first reply of the new leader, as
the client hears it. In between the old one's row locks stand in the way of everybody. Where nobody measures, the standby is
held back until the locks were seen, however long that takes.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg2

from tests.simulation.rig.engines import EngineProcess, Engines
from tests.simulation.rig.recorder import Recorder
from trading.runner import faults


@dataclass(frozen=True, slots=True)
class Takeover:
    seconds: float
    lock_was_held: bool  # by the stopped process, on an account that the command needs


def take_over(
    engines: Engines, recorder: Recorder, leader: EngineProcess, standby: EngineProcess, *,
    command: Callable[[], tuple[str, bytes]], account_id: int, database_url: str, measured: bool = True,
) -> Takeover:  # fmt: skip
    """The leader answers one command and stops inside the next, which the standby must answer. Then wake the old leader up,
    and wait until it stands by. `account_id`: an account that every command locks."""
    uuid, body = command()
    recorder.send([(leader.shard, uuid, body)])
    recorder.reply(uuid)
    struck = len(leader.hits())
    if not measured:
        standby.send(signal.SIGSTOP)
        standby.wait_until_stopped()
    leader.arm(faults.INSIDE_TRANSACTION, signal.SIGSTOP)
    uuid, body = command()
    recorder.send([(leader.shard, uuid, body)])
    until = time.monotonic() + 60
    while len(leader.hits()) == struck:
        assert time.monotonic() < until, f"the point was never passed:\n{leader.log}"
        time.sleep(0.001)
    leader.wait_until_stopped()
    hit = leader.hits()[-1]
    assert not recorder.told.replies.get(uuid), "told before it was committed"
    held = _is_locked(database_url, account_id)
    standby.send(signal.SIGCONT)  # no news where it was never stopped
    reply = recorder.reply(uuid)
    assert engines.leads(standby), f"somebody else answered:\n{standby.log}"
    fenced = leader.count("engine fenced")
    leader.send(signal.SIGCONT)
    engines.wait_until_fenced(leader, fenced + 1)
    engines.wait_until_standing_by(leader, fenced + 2)  # once at its start
    assert engines.leads(standby), "the woken leader took the lead back"
    assert {each.code for each in recorder.told.replies[uuid]} == {reply.code}, "answered twice, and differently"
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
