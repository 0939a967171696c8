"""The registry of watched scripts: what was added is always found, what was not hardly ever, in bounded memory."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallets import fingerprints
from wallets.chains.pieces import Pieces
from wallets.chains.utxo.transaction import compact_size
from wallets.fingerprints import Fingerprints

# Short, of the usual lengths, and so long that their length takes three bytes.
key = st.one_of(st.binary(max_size=40), st.binary(min_size=22, max_size=22), st.binary(min_size=250, max_size=300))
keys = st.lists(key, max_size=60)
# How many may come lately before everything is sorted together.
lately = st.sampled_from([0, 3, 65_536])


def prefixed(strings):
    """The strings as a block has its scripts: a length before each, and something behind the last."""
    raw, starts = b"head", []
    for string in strings:
        starts.append(len(raw))
        raw += compact_size(len(string)) + string
    return Pieces(raw + b"tail", starts)


@given(keys, keys, keys, lately)
def test_what_was_added_is_found_however_it_was_added(first, second, third, many):
    found = Fingerprints()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fingerprints, "_LATELY", many)
        patch.setattr(fingerprints, "_SHARE", 10**9)
        known = set()
        for added in (first, second, third):
            found.extend(added)
            known |= set(added)
            assert all(each in found for each in added)
            assert found.hits([*first, *second, *third]) == known & {*first, *second, *third}
            assert len(found) == len(known)


@given(keys, keys, keys, st.booleans())
def test_a_block_is_asked_as_a_set_would_be(added, also, asked, tight):
    found = Fingerprints()
    found.extend(added)
    pieces = prefixed([*asked, *added, *also, *asked])
    if tight:  # nothing stands behind the last string
        pieces = Pieces(pieces.raw[:-4], pieces.starts)
    wanted = set(added)
    assert found.find(pieces) == [place for place, piece in enumerate(pieces) if piece in wanted]
    wanted |= set(also)
    assert found.find(pieces, also=also) == [place for place, piece in enumerate(pieces) if piece in wanted]


@given(st.lists(st.binary(min_size=36, max_size=36), max_size=60), st.data())
def test_pieces_of_one_size_and_joined_keys_are_the_same_strings(strings, data):
    found = Fingerprints()
    added = data.draw(st.lists(st.sampled_from(strings), max_size=20)) if strings else []
    found.extend_joined(b"".join(added), 36)
    pieces = Pieces(b"".join(strings), range(0, 36 * len(strings), 36), 36)
    assert found.find(pieces) == [place for place, piece in enumerate(strings) if piece in set(added)]
    assert found.hits(strings) == set(added)
    assert found.find(prefixed(strings)) == found.find(pieces)


@given(st.binary(min_size=1, max_size=30), st.integers(1, 8))
def test_zeros_at_the_end_and_another_length_make_another_string(string, zeros):
    found = Fingerprints()
    found.extend([string])
    longer = string + b"\0" * zeros
    assert longer not in found and found.find(prefixed([longer, string])) == [1]
    assert string[:-1] not in found


def test_strings_that_differ_in_their_highest_bits_alone_do_not_collide():
    """What a sum of products forgets first. Whoever pays us chooses the scripts of a block, and may try."""
    base = bytearray(os.urandom(22))
    found = Fingerprints()
    found.extend([bytes(base)])
    strangers = []
    for first in range(0, 22):
        for second in range(first + 1, 22):
            other = bytearray(base)
            other[first] ^= 0x80
            other[second] ^= 0x80
            strangers.append(bytes(other))
    assert found.find(prefixed(strangers)) == [] and found.hits(strangers) == set()


def test_strangers_are_not_found_and_the_table_grows_with_what_is_in_it():
    ours = [os.urandom(22) for _ in range(60_000)]
    found = Fingerprints()
    for start in range(0, len(ours), 1_000):
        found.extend(ours[start : start + 1_000])
    strangers = {os.urandom(22) for _ in range(20_000)}
    assert found.hits(strangers) == set()
    assert found.hits(ours) == set(ours)
    # The first look must sort out nearly everything: of the table's bits, about one in 24 or fewer is set.
    bits = sum(byte.bit_count() for byte in found._table.tobytes())
    assert bits <= len(found._table) * 8 / 20


def test_a_large_set_costs_a_few_bytes_a_string():
    found = Fingerprints()
    blob = os.urandom(20 * 200_000)
    for start in range(0, len(blob), 20 * 50_000):
        found.extend_joined(blob[start : start + 20 * 50_000], 20, expected=200_000)
    assert len(found) == 200_000
    assert (found._values.nbytes + found._table.nbytes) / 200_000 < 16
