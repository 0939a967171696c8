"""Where a new seed's randomness comes from: this machine's and people's, mixed so that either alone is enough.

Tests can only find a source that is broken, never prove a good one; so a source that fails is refused, and the mix does not
depend on any one of them. Sources: NIST SP 800-90B, 4.4 (health tests), 6.3.1 (most common value).
What must never happen here: a seed from a source that failed, or from one source alone.
"""

from __future__ import annotations

import hmac
import math
import os
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

SAMPLE_SIZE = 4_096
# Cut-offs for eight bits a byte and one false alarm in a million runs or fewer.
REPEATED_MAX = 5
WINDOW, SAME_IN_WINDOW_MAX = 512, 20
DICE_MIN = 100  # 258 bits of fair dice
KEYS_MIN = 200
BITS_MIN = 128
# A thousandth of a thousandth of fair dice lie above (chi-squared, five degrees of freedom).
CHI_SQUARED_MAX = 35.9
SAME_AGAIN_MAX = 0.5
COMPARED_MIN = 30


class SourcePoor(ValueError):
    """The source is not random enough to be believed. The sentence says which test it failed."""


def check_system(draw: Callable[[int], bytes] = os.urandom) -> None:
    """The machine's own source: no byte repeated, none far too frequent, no two draws alike. Raises SourcePoor."""
    sample = draw(SAMPLE_SIZE)
    run = 1
    for before, byte in pairwise(sample):
        run = run + 1 if byte == before else 1
        if run >= REPEATED_MAX:
            raise SourcePoor(f"This machine's source gave the same byte {run} times in a row.")
    for start in range(0, SAMPLE_SIZE, WINDOW):
        window = sample[start : start + WINDOW]
        if max(Counter(window).values()) > SAME_IN_WINDOW_MAX:
            raise SourcePoor("This machine's source gives some byte far too often.")
    if draw(32) == draw(32):
        raise SourcePoor("This machine's source gave the same bytes twice.")


def check_dice(rolls: str) -> str:
    """The rolls, digits 1 to 6, if they are enough and look thrown. Raises SourcePoor."""
    digits = "".join(rolls.split())
    if set(digits) - set("123456"):
        raise SourcePoor("Dice show 1 to 6, and nothing else is read.")
    if len(digits) < DICE_MIN:
        raise SourcePoor(f"{len(digits)} rolls are too few: {DICE_MIN} are needed.")
    values = [int(digit) for digit in digits]
    steps = [(second - first) % 6 for first, second in pairwise(values)]
    for what, found, faces in (
        ("The dice", values, range(1, 7)),
        ("From one roll to the next, the dice", steps, range(6)),
    ):
        if _chi_squared(found, faces) > CHI_SQUARED_MAX:
            raise SourcePoor(f"{what} fall too unevenly to be fair, or were not thrown.")
    _check_repetition(digits)
    return digits


def check_keys(typed: str) -> str:
    """What was typed at random, if it holds enough that cannot be guessed. Raises SourcePoor."""
    text = "".join(typed.split())
    if len(text) < KEYS_MIN:
        raise SourcePoor(f"{len(text)} characters are too few: {KEYS_MIN} are needed.")
    _check_repetition(text)
    bits = min(_most_common_bits(text), 8 * len(zlib.compress(text.encode(), 9)))
    if bits < BITS_MIN:
        raise SourcePoor(
            f"This holds about {int(bits)} bits that cannot be guessed; {BITS_MIN} are needed. Type more wildly."
        )
    return text


def mix(system: bytes, people: str) -> bytes:
    """32 bytes that nobody knows who does not know both."""
    assert len(system) == 32 and people
    return hmac.digest(system, b"bourse ceremony\0" + people.encode(), "sha256")


def _chi_squared(values: Sequence[int], faces: range) -> float:
    expected = len(values) / len(faces)
    counts = Counter(values)
    return sum((counts[face] - expected) ** 2 / expected for face in faces)


def _most_common_bits(text: str) -> float:
    """By the most common pair of neighbours, so that `asdfasdf` is worth little; half of all pairs do not overlap."""
    pairs = [text[at : at + 2] for at in range(0, len(text) - 1, 2)]
    share = Counter(pairs).most_common(1)[0][1] / len(pairs)
    bound = min(1.0, share + 2.576 * math.sqrt(share * (1 - share) / (len(pairs) - 1)))
    return -math.log2(bound) * len(pairs)


def _check_repetition(text: str) -> None:
    """A text that comes again after some while was not thrown. Raises SourcePoor."""
    for lag in range(1, len(text) - COMPARED_MIN):
        same = sum(first == second for first, second in zip(text, text[lag:], strict=False))
        if same > SAME_AGAIN_MAX * (len(text) - lag):
            raise SourcePoor(f"The same comes again after {lag}: this was not left to chance.")
