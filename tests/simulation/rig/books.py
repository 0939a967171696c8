"""After the faults: what was told against what is stored, and the books against themselves.

What must never happen here: a finding that is not reported because an earlier one was.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg2

from tests.simulation.rig.engines import ROOT
from tests.simulation.rig.recorder import Recorder, Reply, Shown
from trading import wire

SHOWN_MAX = 10
TRADE_UUID = "626f7572-7365-8001"
PASSED_BY = {wire.DUPLICATE}


@dataclass(slots=True)
class Findings:
    """What is wrong, by kind. Empty: nothing is."""

    lost_commands: list[str] = field(default_factory=list)  # told, and not stored
    changed_verdicts: list[str] = field(default_factory=list)  # told one thing, stored another
    lost_orders: list[str] = field(default_factory=list)
    lost_fills: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)  # the same command told twice, differently
    disagreements: list[str] = field(default_factory=list)  # of the books, the ledger, the replay

    @property
    def lost(self) -> int:
        return len(self.lost_commands) + len(self.lost_orders) + len(self.lost_fills) + len(self.changed_verdicts)

    def summary(self) -> str:
        counts = {name.replace("_", " "): len(getattr(self, name)) for name in self.__slots__}
        return ", ".join(f"{name} {count}" for name, count in counts.items() if count) or "nothing"

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__)

    def __str__(self) -> str:
        lines = []
        for name in self.__slots__:
            found: list[str] = getattr(self, name)
            if found:
                lines.append(f"{name.replace('_', ' ')}: {len(found)}")
                lines += [f"  {each}" for each in found[:SHOWN_MAX]]
        return "\n".join(lines) or "nothing"


def against_the_tables(recorder: Recorder, url: str) -> Findings:
    """Everything that was told is stored, as it was told, once."""
    findings = Findings()
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        told = dict(recorder.told.replies)
        stored = _stored(cursor, told)
        for uuid, replies in told.items():
            _one_command(findings, uuid, replies, stored.get(uuid))
        _orders(cursor, findings, [r.order for replies in told.values() for r in replies if r.order is not None])
        _fills(cursor, findings, recorder)
        _doubles(cursor, findings)
    connection.close()
    return findings


def _stored(cursor: Any, uuids: Iterable[str]) -> dict[str, tuple[str, int | None]]:
    cursor.execute(
        "SELECT k.command_uuid::text, c.verdict, c.order_id FROM unnest(%s::uuid[]) AS n (command_uuid) "
        "JOIN trading_command_key k USING (command_uuid) JOIN trading_command c ON c.id = k.command_id",
        (list(uuids),),
    )
    return {uuid: (verdict, order_id) for uuid, verdict, order_id in cursor.fetchall()}


def _one_command(
    findings: Findings, uuid: str, replies: Sequence[Reply], stored: tuple[str, int | None] | None
) -> None:
    codes = {(reply.code, reply.order_id) for reply in replies}
    if len({code for code, _ in codes}) > 1:
        findings.contradictions.append(f"{uuid}: {codes}")
    if stored is None:
        findings.lost_commands.append(f"{uuid}: told {codes}, stored nowhere")
    elif {code for code, _ in codes} != {stored[0]} or (stored[0] not in PASSED_BY and codes != {stored}):
        findings.changed_verdicts.append(f"{uuid}: told {codes}, stored {stored}")


def _orders(cursor: Any, findings: Findings, rows: Sequence[Shown]) -> None:
    """An order that was shown is there; what it had filled it has; what was done is done."""
    cursor.execute(
        "SELECT id, filled_lots, state, reason, user_id FROM trading_order WHERE id = ANY(%s)",
        ([row.id for row in rows],),
    )
    stored = {id: rest for id, *rest in cursor.fetchall()}
    for row in rows:
        found = stored.get(row.id)
        if found is None:
            findings.lost_orders.append(f"{row.id} of {row.user_id}")
            continue
        filled, state, reason, user = found
        if (
            filled < row.filled_lots
            or user != row.user_id
            or (row.state != 1 and (state, reason) != (row.state, row.reason))
        ):
            findings.lost_orders.append(f"{row.id}: told {row.filled_lots} {row.state} {row.reason}, stored {found}")


def _fills(cursor: Any, findings: Findings, recorder: Recorder) -> None:
    cursor.execute(
        "SELECT id, maker_id, taker_id, maker_order_id, taker_order_id FROM trading_trade WHERE id = ANY(%s)",
        ([trade for _, trade in recorder.told.fills],),
    )
    stored = {id: rest for id, *rest in cursor.fetchall()}
    for (user, trade), told in recorder.told.fills.items():
        found = stored.get(trade)
        if found is None or user not in found[:2] or {order for order, _, _ in told} - set(found[2:]):
            findings.lost_fills.append(f"trade {trade} of {user}: stored {found}")
        if len(told) > 1:
            findings.contradictions.append(f"trade {trade} of {user}: {told}")


def _doubles(cursor: Any, findings: Findings) -> None:
    """A command, a client's order id, a trade's transfer: each once."""
    cursor.execute("SELECT body::json->>'id', count(*) FROM trading_command GROUP BY 1 HAVING count(*) > 1")
    findings.doubled += [f"command {uuid} {count} times" for uuid, count in cursor.fetchall()]
    cursor.execute(
        "SELECT user_id, client_order_id, count(*) FROM trading_order WHERE client_order_id IS NOT NULL "
        "GROUP BY 1, 2 HAVING count(*) > 1"
    )
    findings.doubled += [f"client order id {name} of {user} {count} times" for user, name, count in cursor.fetchall()]
    cursor.execute(
        "SELECT t.id, count(l.uuid) FROM trading_trade t LEFT JOIN ledger_transfer l ON l.reference = 'trade ' || t.id "
        "GROUP BY 1 HAVING count(l.uuid) <> 1"
    )
    findings.doubled += [f"trade {trade} has {count} transfers" for trade, count in cursor.fetchall()]
    cursor.execute(
        "SELECT (SELECT count(*) FROM trading_trade), (SELECT count(*) FROM ledger_transfer WHERE kind = 'trade')"
    )
    trades, transfers = cursor.fetchone()
    if trades != transfers:
        findings.doubled.append(f"{trades} trades, {transfers} transfers")


def verify(findings: Findings, *, shards: Collection[int], replay: bool = True) -> None:
    """The ledger's own proof, the holds against the open orders, and the replay of every stored command."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.dev"}  # the database is the environment's
    commands = [["ledger", "verify"]] + [["engine", "replay", "--shard", str(shard)] for shard in shards if replay]
    for arguments in commands:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            findings.disagreements.append(
                f"manage.py {' '.join(arguments)}: {done.stdout.strip()} {done.stderr.strip()}"
            )
