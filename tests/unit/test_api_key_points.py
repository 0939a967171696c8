"""Public keys that are none: points for which anybody can sign, bytes that are no point, points written twice."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from exchange.accounts.keys import networks, points

P = 2**255 - 19
# The y of the points of order 1, 2, 4 and 8.
SMALL = [
    1,
    P - 1,
    0,
    int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
    int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
]


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("y", SMALL)
def test_a_point_of_small_order_is_none(y: int, sign: int) -> None:
    assert not points.is_sound((y | sign << 255).to_bytes(32, "little"))


def test_why_that_matters() -> None:
    """For the neutral element this signature fits every message: R is the base point, S is one."""
    base = ((4 * pow(5, -1, P)) % P).to_bytes(32, "little")
    forged = base + (1).to_bytes(32, "little")
    neutral = Ed25519PublicKey.from_public_bytes((1).to_bytes(32, "little"))
    for message in (b"buy", b"sell everything"):
        neutral.verify(forged, message)


@pytest.mark.parametrize("number", [P, P + 1, 2**255 - 1, 2])
def test_bytes_that_are_no_point_or_a_second_spelling(number: int) -> None:
    assert not points.is_sound(number.to_bytes(32, "little"))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_another_length(length: int) -> None:
    assert not points.is_sound(bytes(length))


def test_every_real_key_is_sound() -> None:
    for number in range(50):
        private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"%d" % number).digest())
        assert points.is_sound(private.public_key().public_bytes_raw())


@pytest.mark.parametrize(
    ("allowed", "address", "inside"),
    [
        (["203.0.113.0/24"], "203.0.113.9", True),
        (["203.0.113.0/24"], "203.0.114.9", False),
        (["203.0.113.7"], "::ffff:203.0.113.7", True),
        (["2001:db8::/48"], "2001:db8::1", True),
        (["2001:db8::/48"], "2001:db9::1", False),
        (["203.0.113.7"], "local", False),
        (["203.0.113.7"], "203.0.113.7 ", False),
        (["203.0.113.7"], "203.0.113.07", False),
    ],
)
def test_what_lies_in_a_network(allowed: list[str], address: str, inside: bool) -> None:
    assert networks.holds(networks.read(networks.parse(allowed)), address) is inside


@pytest.mark.parametrize(
    "text", ["0.0.0.0/0", "10.0.0.0/8", "::/0", "2001:db8::1/48", "203.0.113.1/24", "x", "", "::ffff:1.2.3.4"]
)
def test_what_is_no_network_for_a_key(text: str) -> None:
    with pytest.raises(networks.NetworkInvalid):
        networks.parse([text])
