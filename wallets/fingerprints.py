"""Ten million byte strings in about 120 MB, asked for a whole block at a time: which of these are among them?

A string is kept as a 64-bit fingerprint, so the answer "yes" is a maybe that the caller confirms in the database; "no" is
certain. The fingerprint is a multilinear hash (each 32-bit word times a secret of the process's own, summed), for which two given
strings collide once in four thousand million times at the most, whoever chose them: nobody can make strings that look like
ours. A bit table answers most questions with one look; sorted fingerprints answer the rest. Everything is done by the array,
and no string of a block becomes an object. What must never happen here: a string that was added and is not found.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from wallets.chains.pieces import PREFIX_LONG, Pieces

Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]

_WORD = 4
# Strings longer than this are hashed one by one; no script that is paid in earnest is.
_LONG = PREFIX_LONG
_SECRET = os.urandom(32)
_FACTORS = np.frombuffer(os.urandom(8 * (_LONG // _WORD + 1)), np.uint64)
# Added once a string, so that the same words at another length are another string.
_LENGTHS = np.frombuffer(os.urandom(8 * _LONG), np.uint64)
_TABLE_BITS_MIN = 13  # of the table's size in bytes: 8 KB
# Bits of the table for each string: one string in about 25 that was not added passes the table.
_ROOM = 24
# Strings that came lately are sorted apart; from this many on, and from this share on, they are sorted in with the others.
_LATELY = 65_536
_SHARE = 64


class Fingerprints:
    """A set that only grows. Not safe between threads while it grows: its owner locks."""

    __slots__ = ("_count", "_lengths", "_shift", "_sorted", "_table", "_tidy", "_values")

    def __init__(self, expected: int = 0) -> None:
        # The first `_count` are in use: of these, `_sorted` in one order, and the later ones (once `_tidy`) in one of their own.
        self._values: Hashes = np.empty(expected, np.uint64)
        self._count = self._sorted = 0
        self._tidy = True
        self._lengths: set[int] = set()
        self._make_table(expected)

    def __len__(self) -> int:
        self._sort()
        return self._count

    def __contains__(self, key: object) -> bool:
        return bool(self.hits([key])) if isinstance(key, bytes) else False

    def hits(self, keys: Iterable[bytes]) -> set[bytes]:
        """Those of the keys that were added (and, hardly ever, one that was not)."""
        found: set[bytes] = set()
        for length, group in _by_length(keys):
            if length in self._lengths:
                found.update(group[place] for place in self._places(_of_each(group, length)).tolist())
        return found

    def find(self, pieces: Pieces, *, also: Iterable[bytes] = ()) -> list[int]:
        """The numbers of those pieces that were added, or that are one of `also`, in their order."""
        others = {length: _of_each(group, length) for length, group in _by_length(also)}
        found: list[int] = []
        for length in self._lengths | others.keys():
            which, hashes = _of_pieces(pieces, length)
            ours = self._places(hashes)
            if length in others:
                ours = np.union1d(ours, np.flatnonzero(np.isin(hashes, others[length])))
            found += which[ours].tolist()
        return sorted(found)

    def extend(self, keys: Iterable[bytes], *, expected: int = 0) -> None:
        """Adds keys. `expected`: how many there will be, to make room once."""
        self._make_room(expected)
        for length, group in _by_length(keys):
            self._add(_of_each(group, length), length)

    def extend_joined(self, joined: bytes, length: int, *, expected: int = 0) -> None:
        """Adds the keys of one length that stand in `joined` one after the other."""
        self._make_room(expected)
        self._add(_of_joined(joined, length), length)

    def _add(self, hashes: Hashes, length: int) -> None:
        end = self._count + len(hashes)
        self._make_room(end)
        self._values[self._count : end] = hashes
        self._mark(hashes)
        self._count, self._tidy = end, False
        self._lengths.add(length)

    def _places(self, hashes: Hashes) -> Places:
        """Where in these hashes those stand that were added."""
        bits = self._table.take(self._byte(hashes)) >> _bit(hashes, self._shift)
        some = np.flatnonzero(bits & np.uint8(1))
        if not len(some):
            return some
        self._sort()
        few = hashes[some]
        older, newer = self._values[: self._sorted], self._values[self._sorted : self._count]
        return some[_among(few, older) | _among(few, newer)]

    def _sort(self) -> None:
        """Puts what was added in order; what was added twice counts once."""
        if self._tidy:
            return
        newer = self._values[self._sorted : self._count]
        if len(newer) < max(_LATELY, self._sorted // _SHARE):
            newer = np.unique(newer)
            newer = newer[~_among(newer, self._values[: self._sorted])]
            self._count = self._sorted + len(newer)
            self._values[self._sorted : self._count] = newer
        else:
            everything = self._values[: self._count]
            everything.sort()
            once = np.concatenate(([True], everything[1:] != everything[:-1]))
            if not once.all():
                kept = everything[once]
                self._values[: len(kept)] = kept
                self._count = len(kept)
            self._sorted = self._count
        self._tidy = True

    def _make_room(self, expected: int) -> None:
        if expected > len(self._values):
            # (a little more than asked for, so that strings that come one by one do not copy everything each)
            values = np.empty(expected + expected // _SHARE, np.uint64)
            values[: self._count] = self._values[: self._count]
            self._values = values
        if expected * _ROOM > len(self._table) * 8:
            self._make_table(expected)
            self._mark(self._values[: self._count])

    def _mark(self, hashes: Hashes) -> None:
        bits = np.left_shift(np.uint8(1), _bit(hashes, self._shift))
        np.bitwise_or.at(self._table, self._byte(hashes), bits)

    def _byte(self, hashes: Hashes) -> Places:
        """Which byte of the table each one has."""
        return (hashes >> self._shift).view(np.int64)

    def _make_table(self, expected: int) -> None:
        bits = _TABLE_BITS_MIN
        while expected * _ROOM > 8 << bits:
            bits += 1
        self._table = np.zeros(1 << bits, np.uint8)
        self._shift = np.uint64(64 - bits)


def _bit(hashes: Hashes, shift: np.uint64) -> NDArray[np.uint8]:
    """Which bit of its byte in the table each one has."""
    return (hashes >> (shift - np.uint64(3)) & np.uint64(7)).astype(np.uint8)


def _among(some: Hashes, ordered: Hashes) -> NDArray[np.bool_]:
    if not len(ordered):
        return np.zeros(len(some), np.bool_)
    at = np.minimum(ordered.searchsorted(some), len(ordered) - 1)
    same: NDArray[np.bool_] = ordered[at] == some
    return same


def _by_length(keys: Iterable[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    groups: dict[int, list[bytes]] = {}
    for key in keys:
        groups.setdefault(len(key), []).append(key)
    yield from groups.items()


def _of_each(keys: list[bytes], length: int) -> Hashes:
    """The hashes of these keys, all of this length."""
    if length >= _LONG:
        return np.array([_of_long(key) for key in keys], np.uint64)
    return _of_slices(b"".join(keys), np.arange(len(keys)) * length, length)


def _of_joined(joined: bytes, length: int) -> Hashes:
    if length >= _LONG:
        return _of_each([joined[at : at + length] for at in range(0, len(joined), length)], length)
    return _of_slices(joined, np.arange(0, len(joined), length), length)


def _of_pieces(pieces: Pieces, length: int) -> tuple[Places, Hashes]:
    """The numbers of the pieces of this length, and their hashes."""
    starts = np.fromiter(pieces.starts, np.int64, len(pieces.starts))
    if pieces.size is not None:
        which = np.arange(len(starts) if pieces.size == length else 0)
    else:
        first = np.frombuffer(pieces.raw, np.uint8)[starts]
        which = np.flatnonzero(first == min(length, _LONG)) if length < _LONG else np.flatnonzero(first >= _LONG)
    if length < _LONG:
        return which, _of_slices(pieces.raw, starts[which] + (pieces.size is None), length)
    which = np.array([place for place in which.tolist() if len(pieces[place]) == length], np.int64)
    return which, _of_each([pieces[place] for place in which.tolist()], length)


def _of_slices(raw: bytes, starts: Places, length: int) -> Hashes:
    """The hashes of what stands in `raw` from each of these places on: one copy of every slice, then a product for each word."""
    whole = -(-length // _WORD) * _WORD
    hashes: Hashes = np.full(len(starts), _LENGTHS[length])
    if not whole or not len(starts):
        return hashes
    if int(starts[-1]) + whole > len(raw):  # the last words end behind the last slice
        raw += b"\0" * _WORD
    every = np.ndarray((len(raw) - whole + 1,), f"V{whole}", raw, strides=(1,))
    words = every[starts].view("<u4").reshape(len(starts), whole // _WORD)
    if over := whole - length:
        words[:, -1] &= np.uint32(0xFFFFFFFF >> 8 * over)
    for column in range(whole // _WORD):
        hashes += words[:, column] * _FACTORS[column]
    return hashes


def _of_long(key: bytes) -> int:
    return int.from_bytes(blake2b(key, key=_SECRET, digest_size=8).digest(), "little")
