"""The signer's way through one job: read, examine, reserve in the log, sign, write the answer. Runs in the signer process alone.

In that order, and only in that order: once the line is durable the limits hold whatever happens next; the bytes are
deterministic, so a crash between line and answer ends in the same answer at the next try. What must never happen here: bytes
handed out before the reservation is on the disk, or a second answer to a job.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from django.db import connection, transaction

from custody import accounts, admission, cold_addresses, examine, limits
from custody.content import digest
from custody.examine import Knowledge, Reading, Refused, Rules, WithdrawalRow
from custody.signers.software import SoftwareSigner
from custody.velocity import VelocityLog
from wallets.chains.utxo.payout import UnsignedUtxo
from wallets.chains.utxo.rules import UtxoRules

log = structlog.get_logger(__name__)
UNSIGNED_SIZE_MAX = 2_000_000  # bytes of JSON


def _nothing(point: str) -> None:
    """The default for `Room.passing`: nobody watches the steps."""


@dataclass(frozen=True, slots=True)
class Files:
    """The signer's own files beside the keystore. Each is read anew for each job, so that a change needs no restart."""

    limits: Path
    accounts: Path
    cold: Path


@dataclass(slots=True)
class Room:
    """All the signer works with. `passing` is called at each step by name; tests kill the process there."""

    signer: SoftwareSigner
    rules: Mapping[str, Rules]
    network_ids: Mapping[str, int]
    velocity: VelocityLog
    files: Files
    passing: Callable[[str], None] = field(default=_nothing)

    def knowledge(self) -> Knowledge:
        """What the signer believes now. Raises LimitsUnreadable, AccountsUnreadable, ColdUnreadable, FileExposed."""
        return Knowledge(
            self.signer,
            self.rules,
            self.network_ids,
            limits.read(self.files.limits),
            accounts.read(self.files.accounts),
            cold_addresses.read(self.files.cold),
        )


@dataclass(frozen=True, slots=True)
class _Job:
    id: str
    network: str
    kind: str
    unsigned: dict[str, Any]
    reference: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a job: "signed", "refused" (with its code), "answered" (before) or "unknown"."""

    outcome: str
    reference: str = ""
    network: str = ""
    code: str = ""


def waiting(*, limit: int = 100) -> list[str]:
    """Ids of jobs without an answer, oldest first. Needs no more than the signer's role may read."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT job.id::text FROM custody_signing_job job"
            " WHERE NOT EXISTS (SELECT FROM custody_signature s WHERE s.job_id = job.id)"
            " AND NOT EXISTS (SELECT FROM custody_refusal r WHERE r.job_id = job.id)"
            " ORDER BY job.requested_at, job.id LIMIT %s",
            [limit],
        )
        return [row[0] for row in cursor.fetchall()]


def answer(*, room: Room, job_id: str, now: datetime) -> Answer:
    """Signs a job or refuses it, once. Raises NotDurable (end the process); what its files and the database raise (try again)."""
    try:
        job = _job(job_id)
        if job is None or _answered(job_id):
            return Answer("answered" if job else "unknown", job.reference if job else "")
        raw, txid = _sign(room, job, now)
    except Refused as refusal:
        _write_refusal(job_id, refusal, now)
        log.warning("signing job refused", job_id=job_id, code=refusal.code, reason=refusal.reason)
        return Answer("refused", *_label(job_id), refusal.code)
    room.passing("before_answer")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO custody_signature (job_id, raw, txid, signed_at, signer_pid) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (job_id) DO NOTHING",
            [job_id, raw, txid, now, os.getpid()],
        )
    room.passing("after_answer")
    log.info("signing job signed", job_id=job_id, network=job.network, txid=txid)
    return Answer("signed", job.reference, job.network)


def _sign(room: Room, job: _Job, now: datetime) -> tuple[bytes, str]:
    content = digest(job.network, job.unsigned)
    knowledge = room.knowledge()
    reading = examine.read(network=job.network, unsigned=job.unsigned, knowledge=knowledge)
    reserved = room.velocity.job(job.id)
    if reserved is None:
        admission.check_kind(job.kind, reading, knowledge=knowledge)
        examine.check_withdrawals(reading, rows=_withdrawals(reading), knowledge=knowledge)
        entry = admission.reservation(
            job.kind,
            reading,
            job_id=job.id,
            content=content,
            log=room.velocity,
            knowledge=knowledge,
            now=int(now.timestamp()),
        )
        room.passing("before_reserve")
        room.velocity.reserve(entry)
        room.passing("after_reserve")
    elif reserved.digest != content:
        raise Refused("job_malformed", "this job had other content when it was reserved")
    raw = _signed_bytes(room.signer, reading)
    # Our own bytes are held against the job like anybody's: a fault in the building shows here, not on the chain.
    return raw, reading.rules.verify_signed(raw, job.unsigned).txid


def _signed_bytes(signer: SoftwareSigner, reading: Reading) -> bytes:
    if isinstance(reading.unsigned, UnsignedUtxo):
        assert isinstance(reading.rules, UtxoRules)
        return signer.sign_utxo(reading.unsigned, reading.rules.parameters)
    return signer.sign_evm(reading.unsigned)


def _job(job_id: str) -> _Job | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT network, kind, CASE WHEN octet_length(unsigned::text) <= %s THEN unsigned::text END, reference"
            " FROM custody_signing_job WHERE id = %s",
            [UNSIGNED_SIZE_MAX, job_id],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    network, kind, text, reference = row
    if text is None:
        raise Refused("job_malformed", "the job is larger than a transaction can be")
    try:
        unsigned = json.loads(text)
    except (ValueError, RecursionError):
        raise Refused("job_malformed", "the job cannot be read") from None
    if not isinstance(unsigned, dict):
        raise Refused("job_malformed", "the job is not an object")
    return _Job(job_id, network, kind, unsigned, reference)


def _label(job_id: str) -> tuple[str, str]:
    """Reference and network of a job that could not be read as a whole."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reference, network FROM custody_signing_job WHERE id = %s", [job_id])
        row = cursor.fetchone()
    return (row[0], row[1]) if row else ("", "")


def _answered(job_id: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM custody_signature WHERE job_id = %s)"
            " OR EXISTS (SELECT FROM custody_refusal WHERE job_id = %s)",
            [job_id, job_id],
        )
        return bool(cursor.fetchone()[0])


def _withdrawals(reading: Reading) -> dict[str, WithdrawalRow]:
    ids = [payment.withdrawal_id for payment in reading.paid]
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id::text, asset_id, network_id, address, amount, state FROM wallets_withdrawal WHERE id = ANY(%s::uuid[])",
            [ids],
        )
        rows = [WithdrawalRow(*row[:4], _whole(row[4]), row[5]) for row in cursor.fetchall()]
    return {row.id: row for row in rows}


def _whole(amount: Any) -> int:
    # A fraction of a base unit is nobody's amount; -1 matches no payment.
    return int(amount) if amount == int(amount) else -1


def _write_refusal(job_id: str, refusal: Refused, now: datetime) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO custody_refusal (job_id, code, reason, refused_at, signer_pid) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (job_id) DO NOTHING",
            [job_id, refusal.code, refusal.reason[:2_000], now, os.getpid()],
        )
