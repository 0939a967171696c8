"""Ten million byte strings in about 120 MB, asked for thousands at a time: is one of these among them?

A string is kept as its 64-bit hash, so the answer "yes" is a maybe (one in two thousand million blocks is wrong) that the caller
confirms in the database; "no" is certain. The hash is Python's own, keyed anew in every process, so nobody outside can make
strings that collide. A bit table answers most questions with one look; sorted buckets of hashes answer the rest.
What must never happen here: a string that was added and is not found.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterable

# Hashes are 64 signed bits; Python's negative indexes let them be used as they are.
_BUCKET_SHIFT = 48
_BUCKETS = 1 << (64 - _BUCKET_SHIFT)
_TABLE_BITS_MIN = 13  # of the table's size in bytes: 8 KB
# Bits of the table for each string: one string in about 25 that was not added passes the table.
_ROOM = 24
# From this many on, buckets are filled first and sorted afterwards.
_MANY = 50_000


class Fingerprints:
    """A set that only grows. Not safe between threads while it grows: its owner locks."""

    __slots__ = ("_buckets", "_count", "_shift", "_sorted", "_table")

    def __init__(self, expected: int = 0) -> None:
        self._buckets: list[array[int] | None] = [None] * _BUCKETS
        self._count = 0
        self._sorted = True
        self._make_table(expected)

    def __len__(self) -> int:
        if not self._sorted:
            self._sort()
        return self._count

    def __contains__(self, key: object) -> bool:
        return self._has(hash(key))

    def hits(self, keys: Iterable[bytes]) -> set[bytes]:
        """Those of the keys that were added (and, hardly ever, one that was not)."""
        keys = list(keys)
        table, shift = self._table, self._shift
        finer = shift - 3
        # Two looks at the table: three quarters fall out at the first, which costs least.
        some = [key for key in keys if table[hash(key) >> shift]]
        fewer = [key for key in some if table[(value := hash(key)) >> shift] >> (value >> finer & 7) & 1]
        return {key for key in fewer if self._has(hash(key))}

    def extend(self, keys: Iterable[bytes], *, expected: int = 0) -> None:
        """Adds keys; many at once are sorted at the next question. `expected`: how many there will be, to make the table once."""
        self._grow(expected)
        hashes = [hash(key) for key in keys]
        self._grow(self._count + len(hashes))
        if len(hashes) < _MANY:
            for value in hashes:
                self._insert(value)
        else:
            self._fill(hashes)

    def _has(self, value: int) -> bool:
        if not self._table[value >> self._shift] >> (value >> self._shift - 3 & 7) & 1:
            return False
        if not self._sorted:
            self._sort()
        bucket = self._buckets[value >> _BUCKET_SHIFT]
        if bucket is None:
            return False
        place = bisect_left(bucket, value)
        return place < len(bucket) and bucket[place] == value

    def _insert(self, value: int) -> None:
        if self._has(value):
            return
        bucket = self._buckets[value >> _BUCKET_SHIFT]
        if bucket is None:
            bucket = self._buckets[value >> _BUCKET_SHIFT] = array("q")
        insort(bucket, value)
        self._table[value >> self._shift] |= 1 << (value >> self._shift - 3 & 7)
        self._count += 1

    def _fill(self, hashes: list[int]) -> None:
        """Many at once: buckets are sorted when somebody asks."""
        buckets = self._buckets
        for value in hashes:
            bucket = buckets[value >> _BUCKET_SHIFT]
            if bucket is None:
                buckets[value >> _BUCKET_SHIFT] = array("q", (value,))
            else:
                bucket.append(value)
        self._mark(hashes)
        self._count += len(hashes)
        self._sorted = False

    def _sort(self) -> None:
        """Sorts what was filled, and counts a string that was added twice once."""
        self._sorted = True
        self._count = 0
        for bucket in self._buckets:
            if bucket is not None:
                bucket[:] = array("q", sorted(set(bucket)))
                self._count += len(bucket)

    def _mark(self, hashes: Iterable[int]) -> None:
        table, shift = self._table, self._shift
        finer = shift - 3
        for value in hashes:
            table[value >> shift] |= 1 << (value >> finer & 7)

    def _grow(self, expected: int) -> None:
        if expected * _ROOM <= len(self._table) * 8:
            return
        self._make_table(expected)
        for bucket in self._buckets:
            if bucket is not None:
                self._mark(bucket)

    def _make_table(self, expected: int) -> None:
        bits = _TABLE_BITS_MIN
        while expected * _ROOM > 8 << bits:
            bits += 1
        self._table = bytearray(1 << bits)
        self._shift = 64 - bits
