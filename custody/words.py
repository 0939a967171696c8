"""A seed as twenty-four words (BIP39) that people write down and any other wallet understands.

The words alone are the backup: no further passphrase of BIP39's is used. Source: BIP39, by embit.
What must never happen here: a word guessed for somebody, or the words in an error.
"""

from __future__ import annotations

import unicodedata

from embit import bip39

ENTROPY_SIZE = 32
COUNT = 24


class WordsWrong(ValueError):
    """Not the words of a seed. Names the place, never the word that should stand there."""


def of_entropy(entropy: bytes) -> tuple[str, ...]:
    """The words of 32 bytes."""
    assert len(entropy) == ENTROPY_SIZE
    return tuple(bip39.mnemonic_from_bytes(entropy).split())


def clean(text: str) -> list[str]:
    """What somebody typed, as words in small letters."""
    return unicodedata.normalize("NFKD", text).lower().split()


def check(words: tuple[str, ...]) -> None:
    """Raises WordsWrong for a word of no list, a wrong number of them, or a checksum that does not fit."""
    for number, word in enumerate(words, 1):
        if word not in bip39.WORDLIST:
            raise WordsWrong(f"Word {number} is in no list of words.")
    if len(words) != COUNT:
        raise WordsWrong(f"These are {len(words)} words; a seed has {COUNT}.")
    if not bip39.mnemonic_is_valid(" ".join(words)):
        raise WordsWrong("Each word is in the list, but together they are no seed: one is another, or two are swapped.")


def seed(words: tuple[str, ...]) -> bytes:
    """The 64 bytes that keys derive from. Raises WordsWrong."""
    check(words)
    return bytes(bip39.mnemonic_to_seed(" ".join(words)))
