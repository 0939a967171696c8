"""Bytes cut into frames: however they arrive, the same texts come out, and what is not plain is left as it was."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from config.frames import Frames

BYTES_MAX = 70_000


def frame(payload: bytes, *, head: int = 0x81, mask: bytes = b"\1\2\3\4") -> bytes:
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 1 << 16:
        length = b"\xfe" + struct.pack("!H", size)
    else:
        length = b"\xff" + struct.pack("!Q", size)
    return bytes([head]) + length + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


PAYLOADS = (
    st.binary(max_size=40) | st.integers(120, 130).map(bytes) | st.sampled_from([65_534, 65_536, 66_000]).map(bytes)
)
HEADS = st.sampled_from([0x81, 0x81, 0x81, 0x82, 0x01, 0x00, 0x80, 0x89, 0x8A, 0x88, 0xC1])


@given(
    sent=st.lists(st.tuples(HEADS, PAYLOADS, st.binary(min_size=4, max_size=4)), max_size=6),
    cuts=st.lists(st.integers(1, 70), max_size=20),
)
def test_however_they_arrive(sent: list[tuple[int, bytes, bytes]], cuts: list[int]) -> None:
    stream = b"".join(frame(payload, head=head, mask=mask) for head, payload, mask in sent)
    frames, came, at = Frames(bytes_max=BYTES_MAX), [], 0
    for size in [*cuts, len(stream)]:
        came += frames.cut(stream[at : at + size])
        at += size
    expected = [
        (payload, b"") if head == 0x81 else (None, frame(payload, head=head, mask=mask)) for head, payload, mask in sent
    ]
    assert came == expected
    assert not frames.passing


def test_what_is_too_large_or_unmasked_is_the_protocols_from_there_on() -> None:
    for bad in (frame(bytes(BYTES_MAX + 1))[:50], b"\x81\x05hello", b"\x81\x7f" + b"\xff" * 20):
        frames = Frames(bytes_max=BYTES_MAX)
        assert frames.cut(frame(b"one") + bad + b"more") == [(b"one", b""), (None, bad + b"more")]
        assert frames.passing


def test_a_head_in_pieces() -> None:
    frames, whole = Frames(bytes_max=BYTES_MAX), frame(bytes(66_000))
    assert [found for byte in range(14) for found in frames.cut(whole[byte : byte + 1])] == []
    assert frames.cut(whole[14:]) == [(bytes(66_000), b"")]
