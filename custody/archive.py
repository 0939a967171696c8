"""What the velocity log leaves behind when old lines go: which withdrawals were ever signed for, and each coin's one amount.

A sorted file of digests beside the log, sealed with the log's key and named in the log's head. It is mapped, not read in: sixteen
bytes a withdrawal, twenty-four a coin, and a look-up is a binary search.
What must never happen here: a withdrawal that is forgotten, for it could be paid again; or a file that is believed unsealed.
"""

from __future__ import annotations

import hashlib
import hmac
import mmap
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from pathlib import Path

from custody import private_files

_HEAD = b"bourse velocity archive 1\n"
_COUNTS = 16  # two numbers of eight bytes
_SEAL = 32
_WITHDRAWAL = 16
_COIN = 24
_CHUNK = 1 << 20


class ArchiveDamaged(RuntimeError):
    """The archive is not what was written. Compare with a backup before anything is signed again."""


@dataclass(frozen=True, slots=True)
class Named:
    """How the log's head names its archive: the file beside it, and the seal that the file must bear."""

    name: str
    seal: str


class Archive:
    """An archive that was checked. Empty where there is none yet."""

    def __init__(self, records: mmap.mmap | bytes = b"", withdrawals: int = 0, coins: int = 0) -> None:
        self._records = records
        self._withdrawals = withdrawals
        self._coins = coins

    @classmethod
    def open(cls, folder: Path, named: Named, *, key: bytes) -> Archive:
        """Maps the file and checks its seal. Raises ArchiveDamaged, FileExposed."""
        path = folder / named.name
        if Path(named.name).name != named.name:
            raise ArchiveDamaged("the archive's name leads elsewhere")
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            raise ArchiveDamaged(f"{path} is missing, and the velocity log builds on it") from None
        with os.fdopen(descriptor, "rb") as handle:
            private_files.check(path, os.fstat(descriptor))
            if os.fstat(descriptor).st_size < len(_HEAD) + _COUNTS + _SEAL:
                raise ArchiveDamaged(f"{path} is cut off")
            records = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        seal = records[-_SEAL:]
        if not hmac.compare_digest(seal, _seal(records, key)) or seal.hex() != named.seal:
            raise ArchiveDamaged(f"{path} is not what was written")
        start = len(_HEAD)
        withdrawals, coins = (int.from_bytes(records[start + at : start + at + 8], "big") for at in (0, 8))
        return cls(records, withdrawals, coins)

    def close(self) -> None:
        """Lets go of the file."""
        if isinstance(self._records, mmap.mmap):
            self._records.close()

    def withdrawal(self, withdrawal: str) -> bool:
        """Whether it was ever signed for, as far as this archive goes back."""
        return self._find(self._start(0), self._withdrawals, _WITHDRAWAL, _digest(withdrawal)) is not None

    def contradicts(self, spend: str, worth: str) -> bool:
        """Whether a coin was signed for with another amount."""
        found = self._find(self._start(1), self._coins, _COIN, _digest(spend))
        return found is not None and found[16:] != _digest(worth)[:8]

    def write_next(
        self, path: Path, *, withdrawals: Iterable[str], coins: Iterable[tuple[str, str]], key: bytes
    ) -> Named:
        """A new archive with everything of this one and more, durable when this returns. Raises OSError."""
        paid = list(_once(merge(self._all(0), sorted(_digest(each) for each in withdrawals))))
        spent = list(_once(merge(self._all(1), sorted(_digest(coin) + _digest(worth)[:8] for coin, worth in coins))))
        body = b"".join(
            (_HEAD, len(paid).to_bytes(8, "big"), len(spent).to_bytes(8, "big"), b"".join(paid), b"".join(spent))
        )
        seal = hmac.digest(key, b"archive" + body, "sha256")
        private_files.replace(path, body + seal)
        return Named(path.name, seal.hex())

    def _start(self, kind: int) -> int:
        return len(_HEAD) + _COUNTS + (self._withdrawals * _WITHDRAWAL if kind else 0)

    def _all(self, kind: int) -> Iterator[bytes]:
        start, count, size = self._start(kind), (self._withdrawals, self._coins)[kind], (_WITHDRAWAL, _COIN)[kind]
        for at in range(count):
            yield self._records[start + at * size : start + (at + 1) * size]

    def _find(self, start: int, count: int, size: int, digest: bytes) -> bytes | None:
        low, high = 0, count
        while low < high:
            middle = (low + high) // 2
            record = self._records[start + middle * size : start + (middle + 1) * size]
            if record[:16] == digest:
                return record
            low, high = (middle + 1, high) if record[:16] < digest else (low, middle)
        return None


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:16]


def _once(records: Iterable[bytes]) -> Iterator[bytes]:
    """Without repetition; of two amounts of one coin (which there never are) the first stays, so the second contradicts."""
    last = b""
    for record in records:
        if record[:16] != last:
            yield record
        last = record[:16]


def _seal(records: mmap.mmap, key: bytes) -> bytes:
    mac = hmac.new(key, b"archive", "sha256")
    end = len(records) - _SEAL
    for at in range(0, end, _CHUNK):
        mac.update(records[at : min(at + _CHUNK, end)])
    return mac.digest()
