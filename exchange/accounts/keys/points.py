"""Is this an Ed25519 public key that only its owner can sign for? The curve's own arithmetic, as RFC 8032 gives it.

OpenSSL takes any 32 bytes for a public key. Eight points of the curve have an order so small that anybody can make signatures
that fit them; bytes that are no point, or are one written in a second way, fit nothing or two keys at once.
Pure. What must never happen here: one of those accepted.
"""

from __future__ import annotations

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_SQRT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)
_COFACTOR_DOUBLINGS = 3
Point = tuple[int, int]


def is_sound(key: bytes) -> bool:
    """Whether the 32 bytes are one point of the curve, in its one form, and of large order."""
    point = _point(key)
    if point is None:
        return False
    for _ in range(_COFACTOR_DOUBLINGS):
        point = _doubled(point)
    return point != (0, 1)


def _point(key: bytes) -> Point | None:
    if len(key) != 32:
        return None
    number = int.from_bytes(key, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _SQRT_OF_MINUS_ONE % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    return (x if x & 1 == sign else _P - x), y


def _doubled(point: Point) -> Point:
    x, y = point
    product = _D * x * x * y * y % _P
    return (
        2 * x * y * pow(1 + product, -1, _P) % _P,
        (y * y + x * x) * pow(1 - product, -1, _P) % _P,
    )
