"""The registry of watched scripts: what was added is always found, what was not hardly ever, in bounded memory."""

from __future__ import annotations

import os
import sys

from hypothesis import given
from hypothesis import strategies as st

from wallets import fingerprints
from wallets.fingerprints import Fingerprints

keys = st.lists(st.binary(min_size=1, max_size=40), max_size=200)


@given(keys, keys, st.integers(0, 3))
def test_what_was_added_is_found_however_it_was_added(first, second, many):
    found = Fingerprints()
    before, fingerprints._MANY = fingerprints._MANY, many  # small lists go the way of large ones, too
    try:
        found.extend(first)
        assert all(key in found for key in first)
        found.extend(second)
    finally:
        fingerprints._MANY = before
    assert found.hits([*first, *second]) == set(first) | set(second)
    assert len(found) == len({*first, *second})


def test_strangers_are_not_found_and_the_table_grows_with_what_is_in_it():
    ours = [os.urandom(22) for _ in range(60_000)]
    found = Fingerprints()
    for start in range(0, len(ours), 1_000):
        found.extend(ours[start : start + 1_000])
    strangers = {os.urandom(22) for _ in range(20_000)}
    assert found.hits(strangers) == set()
    assert found.hits(ours) == set(ours)
    # The first look must sort out nearly everything: of the table's bits, about one in 24 or fewer is set.
    bits = sum(byte.bit_count() for byte in found._table)
    assert bits <= len(found._table) * 8 / 20


def test_a_large_set_costs_a_few_bytes_a_string():
    found = Fingerprints()
    blob = os.urandom(20 * 200_000)
    found.extend(blob[at : at + 20] for at in range(0, len(blob), 20))
    assert len(found) == 200_000
    buckets = sum(sys.getsizeof(bucket) for bucket in found._buckets if bucket is not None)
    # A bucket of a few strings is mostly its own head, 80 bytes; ten million share the same heads.
    heads = sum(80 for bucket in found._buckets if bucket is not None)
    assert (buckets - heads) / 200_000 < 16
    assert len(found._table) / 200_000 < 8
