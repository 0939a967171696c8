"""The cipher binds everything: no bit, key, purpose or context may differ."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.secrets import envelope

KEY = bytes(range(32))


def sealed(**changes):
    return envelope.seal(
        **{"key": KEY, "plaintext": b"seed", "key_id": 5, "purpose": "totp", "context": "user:1", **changes}
    )


@given(st.binary(max_size=200), st.text(max_size=20), st.text(max_size=20))
def test_it_opens_what_it_sealed(plaintext, purpose, context):
    box = sealed(plaintext=plaintext, purpose=purpose, context=context)
    assert envelope.open_sealed(KEY, box, purpose=purpose, context=context) == plaintext
    assert envelope.key_id(box) == 5


@given(st.integers(min_value=0, max_value=8 * (21 + 4 + 16) - 1))
def test_no_bit_may_change(position):
    box = bytearray(sealed())
    box[position // 8] ^= 1 << position % 8
    with pytest.raises(envelope.Tampered):
        envelope.open_sealed(KEY, bytes(box), purpose="totp", context="user:1")


@pytest.mark.parametrize(
    ("key", "purpose", "context"),
    [(bytes(32), "totp", "user:1"), (KEY, "api", "user:1"), (KEY, "totp", "user:2"), (KEY, "totpuser:", "1")],
)
def test_it_opens_for_its_own_key_purpose_and_context_alone(key, purpose, context):
    with pytest.raises(envelope.Tampered):
        envelope.open_sealed(key, sealed(), purpose=purpose, context=context)


@pytest.mark.parametrize("box", [b"", b"\x01", b"\x02" + bytes(60), b"plain text that was never sealed at all"])
def test_what_was_never_sealed_does_not_open(box):
    with pytest.raises(envelope.Tampered):
        envelope.open_sealed(KEY, box, purpose="totp", context="user:1")


def test_the_same_secret_never_looks_the_same_twice():
    assert len({sealed() for _ in range(100)}) == 100


def test_a_wrapped_key_is_bound_to_its_purpose_and_version():
    wrapped = envelope.wrap(bytes(32), KEY, purpose="totp", version=1)
    assert envelope.unwrap(bytes(32), wrapped, purpose="totp", version=1) == KEY
    for purpose, version in (("totp", 2), ("api", 1)):
        with pytest.raises(envelope.Tampered):
            envelope.unwrap(bytes(32), wrapped, purpose=purpose, version=version)
