"""Reference codes that people copy by hand into a bank's form: no letters that look like digits, and a check letter.

Pure but for its randomness, which is passed in. What must never happen here: a slip of the pen that makes another valid code.
"""

from __future__ import annotations

from collections.abc import Callable

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # 31 letters, a prime: any one wrong letter and any swap of two is found
PREFIX = "BRS"
LENGTH = 8


def make(choose: Callable[[str], str]) -> str:
    """A new code, such as BRS-7K3F-9Q2MX: eight letters of `choose(ALPHABET)` and a check letter."""
    letters = "".join(choose(ALPHABET) for _ in range(LENGTH))
    return f"{PREFIX}-{letters[:4]}-{letters[4:]}{_check(letters)}"


def parse(text: str) -> str | None:
    """The code in what a bank passed on (case, spaces and dashes do not matter), or None."""
    plain = "".join(c for c in text.upper() if c.isalnum())
    letters = plain.removeprefix(PREFIX)
    if not plain.startswith(PREFIX) or len(letters) != LENGTH + 1 or not set(letters) <= set(ALPHABET):
        return None
    if _check(letters[:LENGTH]) != letters[LENGTH]:
        return None
    return f"{PREFIX}-{letters[:4]}-{letters[4:]}"


def _check(letters: str) -> str:
    return ALPHABET[sum(place * ALPHABET.index(c) for place, c in enumerate(letters, start=1)) % len(ALPHABET)]
