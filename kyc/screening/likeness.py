"""How alike two words of names are, and the hashes under which words that are alike are found.

Two words that differ by one letter (one too many, one too few, another one, two swapped) give a common word when one letter
is left out of each. Pure. What must never happen here: a pair that `likeness` would take and that shares no hash of `listed`
and `asked`.
"""

from __future__ import annotations

from rapidfuzz.distance import OSA

from kyc.screening.names import folded, skeleton

SAME_SOUND, SAME_SOUND_SHORT = 0.92, 0.78
SAME_CONSONANTS, SAME_CONSONANTS_BARE = 0.8, 0.9
ONE_EDIT_LEAST = 0.66
CONSONANTS_LEAST = 0.55
_FOLDED_EDITS_FROM = 4
_SOUND_FROM = 4


def likeness(word: str, listed: str, *, bare: bool) -> float:
    """0 to 1. `bare`: the word was written without its vowels, so equal consonants are all that can be asked for."""
    if word == listed:
        return 1.0
    sound, listed_sound = folded(word), folded(listed)
    longest = max(len(word), len(listed))
    if sound == listed_sound:
        # Of short words many share a sound.
        return SAME_SOUND if min(len(sound), longest - 1) >= _SOUND_FROM else SAME_SOUND_SHORT
    best = 0.0
    if OSA.distance(word, listed, score_cutoff=1) == 1:
        best = max(1 - 1 / longest, ONE_EDIT_LEAST)
    elif (
        min(len(sound), len(listed_sound)) >= _FOLDED_EDITS_FROM
        and OSA.distance(sound, listed_sound, score_cutoff=1) == 1
    ):
        best = (1 - 1 / max(len(sound), len(listed_sound))) * SAME_SOUND
    if bare and skeleton(word) == skeleton(listed):
        return max(best, SAME_CONSONANTS_BARE)
    if len(bones := skeleton(word)) > 2 and bones == skeleton(listed):
        # Nothing but vowels differs: one of them, and it is how the next clerk would write the same sound.
        if best:
            return max(best, SAME_CONSONANTS_BARE)
        return SAME_CONSONANTS if OSA.normalized_similarity(sound, listed_sound) >= CONSONANTS_LEAST else 0.0
    return best


def listed(word: str) -> set[str]:
    """The keys under which a word of the list is kept."""
    return _edited(word) | {f"~{bones}" for bones in (skeleton(word),) if bones}


def listed_joined(word: str) -> set[str]:
    """Of two words written as one: as it stands, and by its sound."""
    return {word, folded(word)}


def asked(word: str, *, bare: bool) -> set[str]:
    """The keys to look a person's word up by."""
    bones = skeleton(word)
    return _edited(word) | ({f"~{bones}"} if bones and (bare or len(bones) > 2) else set())


def asked_joined(word: str) -> set[str]:
    """Of two words of a person's that the list may write as one."""
    return _edited(word)


def _edited(word: str) -> set[str]:
    keys = {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}
    sound = folded(word)
    keys.add(sound)
    if len(sound) >= _FOLDED_EDITS_FROM:
        keys.update(sound[:at] + sound[at + 1 :] for at in range(len(sound)))
    keys.discard("")
    return keys
