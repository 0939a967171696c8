"""JSON that is read without the stack: the same values as the library's, for anything, however deep."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallets.chains import nested

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=30,
)


@given(VALUES, st.sampled_from([None, 2]))
def test_what_is_deep_is_read_as_the_library_reads_what_is_flat(value, indent):
    text = json.dumps(value, indent=indent)
    assert nested._Reader(text).whole() == json.loads(text)
    assert nested.loads(text.encode()) == value


@given(st.text(alphabet='[]{}",:0123eE.-+ntrufalse \\x', max_size=40))
def test_what_is_no_json_is_refused_by_both(text):
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError):
            nested._Reader(text).whole()
        return
    # The library takes NaN and Infinity; they are no JSON, and no chain says them.
    assert nested._Reader(text).whole() == expected


@pytest.mark.parametrize("depth", [99, 101, 4_999])
def test_a_deep_tree_is_read(depth):
    value = nested.loads(b'{"calls":[' * (depth // 2) + b"1" + b"]}" * (depth // 2))
    for _ in range(depth // 2):
        (value,) = value["calls"]
    assert value == 1


@pytest.mark.parametrize(
    "text", [b"[" * 100_000, b"[" * 6_000 + b"]" * 6_000, b'{"a":' * 200, b"[1" * 150 + b"]" * 149]
)
def test_what_is_too_deep_or_broken_off_is_refused(text):
    with pytest.raises(ValueError):
        nested.loads(text)
