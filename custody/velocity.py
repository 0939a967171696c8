"""The signer's memory: an append-only log beside the keystore, written and fsynced before anything is signed.

It answers what the database must not be trusted with: how much left within the last hour and day, which withdrawals were paid
already and with which coins, and what a coin was said to be worth. Each line is sealed with a key of the seed and with the line
before it. A last line without its end is what a crash leaves: nothing was signed for it, and it is cut off. Other damage is
refused.
What must never happen here: a signature before its line is durable, a failed fsync survived, or two signers on one log.
"""

from __future__ import annotations

import fcntl
import hmac
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from custody import private_files

_HEAD = {"format": "bourse-velocity-log", "version": 1}


class LogDamaged(RuntimeError):
    """A line is not what was written. Compare with a backup before anything is signed again."""


class LogBusy(RuntimeError):
    """Another signer holds the log."""


class LogMissing(RuntimeError):
    """There is no log. An empty one would forget every limit, so only `manage.py custody init` makes it."""


class NotDurable(BaseException):
    """The disk did not take the line. The process must end: after a failed fsync nobody knows what is on the disk.

    Not an Exception, so that no handler of a task survives it by accident.
    """


@dataclass(frozen=True, slots=True)
class Reservation:
    """One job that may be signed. `charges` counts base units by asset, fee included; `spends` maps each outpoint or nonce to the
    amount it was said to hold ("" for a nonce). `replaces` names the first job of which this one is a later version, "" if none.
    """

    job_id: str
    at: int
    digest: str
    charges: dict[str, int]
    spends: dict[str, str]
    withdrawals: tuple[str, ...]
    replaces: str = ""

    @property
    def payment(self) -> str:
        """Versions of one payment share it: at most one of them can be mined."""
        return self.replaces or self.job_id


@dataclass(slots=True)
class _Index:
    by_job: dict[str, Reservation] = field(default_factory=dict)
    by_withdrawal: dict[str, list[Reservation]] = field(default_factory=dict)
    by_spend: dict[str, Reservation] = field(default_factory=dict)
    by_payment: dict[str, list[Reservation]] = field(default_factory=dict)

    def add(self, entry: Reservation) -> None:
        self.by_job[entry.job_id] = entry
        self.by_payment.setdefault(entry.payment, []).append(entry)
        for withdrawal in entry.withdrawals:
            self.by_withdrawal.setdefault(withdrawal, []).append(entry)
        for spend in entry.spends:
            self.by_spend.setdefault(spend, entry)


class VelocityLog:
    """The open log. Holds a lock on the file for as long as it lives."""

    def __init__(self, descriptor: int, key: bytes) -> None:
        self._descriptor = descriptor
        self._key = key
        self._seal = b""
        self._last_at = 0
        self._index = _Index()
        self.torn = b""

    @classmethod
    def create(cls, path: Path, *, key: bytes) -> None:
        """Makes an empty log. Raises FileExistsError: an old one is never replaced."""
        line, _ = _line(key, b"", _HEAD)
        private_files.write_new(path, line)

    @classmethod
    def open(cls, path: Path, *, key: bytes) -> Self:
        """Reads and checks the whole log. Raises LogMissing, LogBusy, LogDamaged, FileExposed."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            raise LogMissing(f"{path} is missing: `manage.py custody init` makes it") from None
        log = cls(descriptor, key)
        try:
            private_files.check(path, os.fstat(descriptor))
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            log._load()
        except BlockingIOError:
            log.close()
            raise LogBusy(f"another signer holds {path}") from None
        except BaseException:
            log.close()
            raise
        return log

    def close(self) -> None:
        """Lets go of the file and its lock."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def job(self, job_id: str) -> Reservation | None:
        """What was reserved for a job."""
        return self._index.by_job.get(job_id)

    def paid(self, withdrawal: str) -> list[Reservation]:
        """Every job that may pay this withdrawal."""
        return list(self._index.by_withdrawal.get(withdrawal, ()))

    def versions(self, payment: str) -> list[Reservation]:
        """Every version of one payment."""
        return list(self._index.by_payment.get(payment, ()))

    def spend(self, spend_key: str) -> Reservation | None:
        """The first job that used this outpoint or nonce."""
        return self._index.by_spend.get(spend_key)

    def charged(self, asset: str, *, since: int, without: str = "") -> int:
        """Base units of an asset reserved after `since`. Of several versions of one payment the dearest counts.

        `without` leaves one payment out: the one that is about to be replaced.
        """
        total = 0
        for payment, entries in self._index.by_payment.items():
            if payment != without and entries[-1].at > since:
                total += max(entry.charges.get(asset, 0) for entry in entries)
        return total

    def clock(self, now: int) -> int:
        """The time to reckon with: a clock that was set back must not empty the windows."""
        return max(now, self._last_at)

    def reserve(self, entry: Reservation) -> None:
        """Writes one line and waits until it is on the disk. Raises NotDurable; then the process must end."""
        assert entry.job_id not in self._index.by_job and entry.at >= self._last_at
        line, seal = _line(self._key, self._seal, asdict(entry))
        try:
            if os.write(self._descriptor, line) != len(line):
                raise NotDurable("the velocity log took only a part of a line")
            os.fsync(self._descriptor)
        except OSError as error:
            raise NotDurable(f"the velocity log cannot be written: {error.strerror}") from error
        self._accept(entry, seal)

    def _accept(self, entry: Reservation, seal: bytes) -> None:
        self._seal = seal
        self._last_at = entry.at
        self._index.add(entry)

    def _load(self) -> None:
        with os.fdopen(os.dup(self._descriptor), "rb") as handle:
            handle.seek(0)
            content = handle.read()
        whole, _, self.torn = content.rpartition(b"\n")
        lines = whole.split(b"\n") if whole else []
        if lines and b"\0" in lines[-1]:
            # Some file systems leave a hole where the last write was not finished.
            self.torn = lines.pop() + b"\n" + self.torn
        if not lines:
            raise LogDamaged("the velocity log has no head")
        for number, line in enumerate(lines):
            self._read_line(number, line)
        if self.torn:
            os.ftruncate(self._descriptor, len(content) - len(self.torn))
            os.fsync(self._descriptor)

    def _read_line(self, number: int, line: bytes) -> None:
        text, _, seal = line.rpartition(b" ")
        if not hmac.compare_digest(seal, _seal(self._key, self._seal, text).hex().encode()):
            raise LogDamaged(f"line {number + 1} of the velocity log is not what was written")
        body = json.loads(text)
        self._seal = bytes.fromhex(seal.decode())
        if number == 0:
            if body != _HEAD:
                raise LogDamaged("the velocity log is of a form this signer does not know")
            return
        entry = Reservation(**{**body, "withdrawals": tuple(body["withdrawals"])})
        self._last_at = entry.at
        self._index.add(entry)


def conflicts(spends: Iterable[str], earlier: Iterable[Reservation]) -> bool:
    """Whether a transaction with these spends can never be mined beside any of the earlier ones."""
    own = set(spends)
    return all(own & set(entry.spends) for entry in earlier)


def _line(key: bytes, previous: bytes, body: dict[str, Any]) -> tuple[bytes, bytes]:
    text = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    seal = _seal(key, previous, text)
    return text + b" " + seal.hex().encode() + b"\n", seal


def _seal(key: bytes, previous: bytes, text: bytes) -> bytes:
    return hmac.digest(key, previous + text, "sha256")
