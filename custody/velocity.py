"""The signer's memory: an append-only log beside the keystore, written and fsynced before anything is signed.

It answers what the database must not be trusted with: how much left within the last hour and day, which withdrawals were paid
already and with which coins, and what a coin was said to be worth. Each line is sealed with a key of the seed and with the line
before it. A last line without its end is what a crash leaves: nothing was signed for it, and it is cut off. Other damage is
refused. The log is read whole at the start; lines of payments that are KEEP_S old go over into an archive, so it stays short.
What must never happen here: a signature before its line is durable, a failed fsync survived, two signers on one log, or a
withdrawal that the log forgets.
"""

from __future__ import annotations

import fcntl
import hmac
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from custody import private_files
from custody.archive import Archive, ArchiveDamaged, Named

_HEAD = {"format": "bourse-velocity-log", "version": 1}
# Nodes forget an unmined transaction after two weeks (Bitcoin Core's -mempoolexpiry), so nobody replaces it after that.
KEEP_S = 14 * 86_400
# So many old lines are worth the rewriting of the log.
COMPACTED_AT_ONCE_MIN = 5_000


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
    by_spend: dict[str, list[Reservation]] = field(default_factory=dict)
    by_payment: dict[str, list[Reservation]] = field(default_factory=dict)
    in_order: list[Reservation] = field(default_factory=list)

    def add(self, entry: Reservation) -> None:
        self.in_order.append(entry)
        self.by_job[entry.job_id] = entry
        self.by_payment.setdefault(entry.payment, []).append(entry)
        for withdrawal in entry.withdrawals:
            self.by_withdrawal.setdefault(withdrawal, []).append(entry)
        for spend in entry.spends:
            self.by_spend.setdefault(spend, []).append(entry)


class VelocityLog:
    """The open log. Holds a lock on the file for as long as it lives."""

    def __init__(self, path: Path, descriptor: int, key: bytes) -> None:
        self._path = path
        self._descriptor = descriptor
        self._key = key
        self._seal = b""
        self._last_at = 0
        self._index = _Index()
        self._archive = Archive()
        self._archived = Named("", "")
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
        log = cls(path, descriptor, key)
        try:
            private_files.check(path, os.fstat(descriptor))
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(descriptor), path.stat()):
                # The other signer put a shorter log in this one's place between our opening it and our lock.
                raise BlockingIOError
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
        self._archive.close()

    def job(self, job_id: str) -> Reservation | None:
        """What was reserved for a job."""
        return self._index.by_job.get(job_id)

    def paid(self, withdrawal: str) -> list[Reservation]:
        """Every job that may pay this withdrawal."""
        return list(self._index.by_withdrawal.get(withdrawal, ()))

    def versions(self, payment: str) -> list[Reservation]:
        """Every version of one payment."""
        return list(self._index.by_payment.get(payment, ()))

    def spending(self, spend_key: str) -> list[Reservation]:
        """Every job that used this outpoint or nonce."""
        return list(self._index.by_spend.get(spend_key, ()))

    def contradicts(self, spend_key: str, worth: str) -> bool:
        """Whether a coin was signed for with another amount, ever."""
        earlier = self._index.by_spend.get(spend_key)
        if earlier:
            return earlier[0].spends[spend_key] != worth
        return self._archive.contradicts(spend_key, worth)

    def long_ago(self, withdrawal: str) -> bool:
        """Whether a withdrawal was signed for so long ago that only the archive knows."""
        return withdrawal not in self._index.by_withdrawal and self._archive.withdrawal(withdrawal)

    def charged(self, asset: str, *, since: int, without: str = "") -> int:
        """Base units of an asset reserved after `since`. Of several versions of one payment the dearest counts.

        `without` leaves one payment out: the one that is about to be replaced. Costs by what was reserved since then.
        """
        total = 0
        seen = {without}
        for entry in reversed(self._index.in_order):
            if entry.at <= since:
                break
            if entry.payment not in seen:
                seen.add(entry.payment)
                total += max(version.charges.get(asset, 0) for version in self._index.by_payment[entry.payment])
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

    def compact(self, *, now: int) -> int:
        """Moves old payments into the archive when there are many; how many lines went. Raises OSError, NotDurable.

        After an OSError the log is as it was. The new log takes the old one's place in one step, and is locked before it does.
        """
        before = self.clock(now) - KEEP_S
        lines = self._index.in_order
        if len(lines) < COMPACTED_AT_ONCE_MIN or lines[COMPACTED_AT_ONCE_MIN - 1].at > before:
            return 0
        old = {payment for payment, entries in self._index.by_payment.items() if entries[-1].at <= before}
        gone = [entry for entry in lines if entry.payment in old]
        if not gone:
            return 0
        generation = int(self._archived.name.rpartition("-")[2] or 0) + 1
        named = self._archive.write_next(
            self._path.with_name(f"{self._path.name}.archive-{generation}"),
            withdrawals={withdrawal for entry in gone for withdrawal in entry.withdrawals},
            coins={(spend, worth) for entry in gone for spend, worth in entry.spends.items() if worth},
            key=self._key,
        )
        shorter = self._write_shorter([entry for entry in lines if entry.payment not in old], named)
        self._take_over(shorter)
        return len(gone)

    def _write_shorter(self, kept: list[Reservation], named: Named) -> VelocityLog:
        """A log of its own under another name: durable, locked and read back."""
        part = self._path.with_name(f".{self._path.name}.shorter")
        part.unlink(missing_ok=True)
        head = _HEAD | {"version": 2, "archive": asdict(named), "last_at": self._last_at}
        seal, content = b"", []
        for body in (head, *(asdict(entry) for entry in kept)):
            line, seal = _line(self._key, seal, body)
            content.append(line)
        private_files.write_new(part, b"".join(content))
        return VelocityLog.open(part, key=self._key)

    def _take_over(self, shorter: VelocityLog) -> None:
        old_archive = self._archive
        try:
            shorter._path.replace(self._path)
            private_files.sync_folder(self._path.parent)
        except OSError as error:
            # Whether the new name stands nobody knows; both logs tell the same, so a new start is safe.
            shorter.close()
            raise NotDurable(f"the shorter velocity log could not take its place: {error.strerror}") from error
        os.close(self._descriptor)
        self._descriptor, self._seal, self._index = shorter._descriptor, shorter._seal, shorter._index
        self._archive, self._archived = shorter._archive, shorter._archived
        old_archive.close()
        for stray in self._path.parent.glob(f"{self._path.name}.archive-*"):
            if stray.name != self._archived.name:
                with suppress(OSError):  # the next time, then
                    stray.unlink(missing_ok=True)

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
            self._read_head(body)
            return
        entry = Reservation(**{**body, "withdrawals": tuple(body["withdrawals"])})
        self._last_at = entry.at
        self._index.add(entry)

    def _read_head(self, body: dict[str, Any]) -> None:
        if body == _HEAD:
            return
        if not isinstance(body, dict) or (body.get("format"), body.get("version")) != (_HEAD["format"], 2):
            raise LogDamaged("the velocity log is of a form this signer does not know")
        self._last_at = body["last_at"]
        self._archived = Named(**body["archive"])
        try:
            self._archive = Archive.open(self._path.parent, self._archived, key=self._key)
        except ArchiveDamaged as error:
            raise LogDamaged(str(error)) from None


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
