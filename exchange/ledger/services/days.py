"""A customer's accounts by day: what came, what went, and between which entries, kept up with the book and mended from it.

The book is read forwards along each writer's chain, whose batches commit in order, so every entry is counted exactly once
however late its transaction committed. A day is the UTC day of the transfer. `mend` works accounts out anew from their entries
and puts right what differs.
What must never happen here: money decided by these rows. They are for pages and statements, and the book does not read them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog
from django.db import connection, transaction

from exchange.ledger import metrics

log = structlog.get_logger(__name__)

BATCHES_A_STEP = 20_000  # of each chain, in one transaction
ACCOUNTS_A_ROUND = 200  # worked out anew in one transaction
ENTRIES_A_RUN = 3_000_000  # after this many, the next run of `mend_some` goes on

_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('ledger days', 0))"
# An account of nobody's (fees, wallets) has no page; its entries would be most of the work.
_GATHER = """
WITH span AS MATERIALIZED (
  SELECT w.id AS writer_id, coalesce(m.seq, 0) AS above, least(w.seq, coalesce(m.seq, 0) + %(most)s) AS upto, w.seq
  FROM ledger_writer w LEFT JOIN ledger_day_mark m ON m.writer_id = w.id WHERE w.seq > coalesce(m.seq, 0)
), fresh AS (
  SELECT e.account_id, (t.posted_at AT TIME ZONE 'UTC')::date AS day, count(*) AS entries,
    coalesce(sum(e.amount) FILTER (WHERE e.amount > 0), 0) AS credits,
    coalesce(-sum(e.amount) FILTER (WHERE e.amount < 0), 0) AS debits, min(e.id) AS first_entry_id, max(e.id) AS last_entry_id
  FROM span s
  JOIN ledger_batch b ON b.writer_id = s.writer_id AND b.seq > s.above AND b.seq <= s.upto
  JOIN ledger_transfer t ON t.id BETWEEN b.first_transfer_id AND b.last_transfer_id AND t.batch_id = b.id
  JOIN ledger_entry e ON e.id >= t.id << 5 AND e.id < (t.id + 1) << 5
  JOIN ledger_account a ON a.id = e.account_id AND a.owner_id IS NOT NULL
  GROUP BY 1, 2
), kept AS (
  INSERT INTO ledger_day AS d (account_id, day, entries, credits, debits, first_entry_id, last_entry_id)
    SELECT account_id, day, entries, credits, debits, first_entry_id, last_entry_id FROM fresh
  ON CONFLICT (account_id, day) DO UPDATE SET entries = d.entries + excluded.entries, credits = d.credits + excluded.credits,
    debits = d.debits + excluded.debits, first_entry_id = least(d.first_entry_id, excluded.first_entry_id),
    last_entry_id = greatest(d.last_entry_id, excluded.last_entry_id)
  RETURNING 1
), marked AS (
  INSERT INTO ledger_day_mark AS m (writer_id, seq) SELECT writer_id, upto FROM span
  ON CONFLICT (writer_id) DO UPDATE SET seq = excluded.seq
)
SELECT (SELECT count(*) FROM kept), coalesce((SELECT bool_or(upto < seq) FROM span), false)
"""
# What the days of these accounts should be by the entries that were gathered: those of batches up to the marks.
_MEND = """
WITH proper AS MATERIALIZED (
  SELECT e.account_id, (t.posted_at AT TIME ZONE 'UTC')::date AS day, count(*) AS entries,
    coalesce(sum(e.amount) FILTER (WHERE e.amount > 0), 0) AS credits,
    coalesce(-sum(e.amount) FILTER (WHERE e.amount < 0), 0) AS debits, min(e.id) AS first_entry_id, max(e.id) AS last_entry_id
  FROM ledger_entry e
  JOIN ledger_transfer t ON t.id = e.transfer_id
  JOIN ledger_batch b ON b.id = t.batch_id
  JOIN ledger_day_mark m ON m.writer_id = b.writer_id AND b.seq <= m.seq
  WHERE e.account_id = ANY(%(accounts)s)
  GROUP BY 1, 2
), gone AS (
  DELETE FROM ledger_day d WHERE d.account_id = ANY(%(accounts)s)
    AND NOT EXISTS (SELECT FROM proper p WHERE p.account_id = d.account_id AND p.day = d.day)
  RETURNING 1
), righted AS (
  INSERT INTO ledger_day AS d (account_id, day, entries, credits, debits, first_entry_id, last_entry_id)
    SELECT account_id, day, entries, credits, debits, first_entry_id, last_entry_id FROM proper
  ON CONFLICT (account_id, day) DO UPDATE SET entries = excluded.entries, credits = excluded.credits, debits = excluded.debits,
    first_entry_id = excluded.first_entry_id, last_entry_id = excluded.last_entry_id
    WHERE (d.entries, d.credits, d.debits, d.first_entry_id, d.last_entry_id) IS DISTINCT FROM
      (excluded.entries, excluded.credits, excluded.debits, excluded.first_entry_id, excluded.last_entry_id)
  RETURNING 1
)
SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM righted), coalesce((SELECT sum(entries) FROM proper), 0)
"""
_NEXT = """
SELECT id FROM ledger_account
WHERE owner_id IS NOT NULL AND id > (SELECT account_id FROM ledger_day_round) ORDER BY id LIMIT %s
"""


def gather() -> int:
    """Brings the days up to what is posted now; how many rows changed. Whoever comes second waits, and then has little to do."""
    changed, more = 0, True
    while more:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_ALONE)
            cursor.execute(_GATHER, {"most": BATCHES_A_STEP})
            rows, more = cursor.fetchone()
        changed += rows
    return changed


def mend(*, account_ids: Sequence[int], now: datetime) -> int:
    """Works these accounts' days out anew from their entries; how many rows were wrong, and are right now."""
    return _mend(list(account_ids), now)[0]


def mend_some(*, now: datetime) -> int:
    """Goes on with the round over all customers' accounts, some millions of entries at a time; how many rows were wrong."""
    gather()
    wrong, read = 0, 0
    while read < ENTRIES_A_RUN:
        with connection.cursor() as cursor:
            cursor.execute(_NEXT, (ACCOUNTS_A_ROUND,))
            account_ids = [row[0] for row in cursor.fetchall()]
        if account_ids:
            rows, entries = _mend(account_ids, now)
            wrong, read = wrong + rows, read + entries
        with connection.cursor() as cursor:
            cursor.execute("UPDATE ledger_day_round SET account_id = %s", (account_ids[-1] if account_ids else 0,))
        if len(account_ids) < ACCOUNTS_A_ROUND:
            break
    return wrong


def _mend(account_ids: list[int], now: datetime) -> tuple[int, int]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_ALONE)
        cursor.execute(_MEND, {"accounts": account_ids})
        wrong, entries = cursor.fetchone()
    if wrong:
        log.error("ledger.days_mended", rows=wrong, accounts=account_ids[:20], at=now.isoformat())
        metrics.days_mended.inc(wrong)
    return int(wrong), int(entries)
