"""What a ceremony is made of: words against BIP39's own vectors, tests of randomness that bite, a log that cannot be altered."""

import json
import os
import random
from datetime import UTC, datetime

import pytest

from custody import ceremony_log, entropy, words
from custody.ceremony_log import LogForged
from custody.entropy import SourcePoor
from custody.signers.software import SoftwareSigner
from custody.words import WordsWrong
from wallets.chains import registry

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ABANDON = ("abandon",) * 23 + ("art",)


def test_words_and_addresses_are_those_that_the_standards_print():
    """BIP39's vector for 32 zero bytes (without its passphrase: BIP84's own words), so any other wallet finds the coins."""
    assert words.of_entropy(bytes(32)) == ABANDON
    assert words.of_entropy(b"\x7f" * 32)[-1] == "title"
    # The seed of "abandon … art" without a passphrase, and its master key's fingerprint, as other wallets show it.
    assert words.seed(ABANDON).hex().startswith("408b285c123836004f4b8842c89324c1f01382450c0d439af345ba7fc49acf70")
    signer = SoftwareSigner(words.seed(ABANDON))
    assert signer.fingerprint == "5436d724"
    account = signer.account("m/84'/0'/0'").text("xpub")
    rules = registry.rules("bitcoin", network="mainnet")
    assert rules.derive(account, index=0).text == rules.address(signer.script("m/84'/0'/0'/0/0"))


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        (ABANDON[:-1], "23 words"),
        ((*ABANDON[:-1], "abandon"), "together they are no seed"),
        ((*ABANDON[:4], "abandn", *ABANDON[5:]), "Word 5"),
        ((), "0 words"),
    ],
)
def test_wrong_words_are_named_by_their_place(typed, complaint):
    with pytest.raises(WordsWrong, match=complaint) as wrong:
        words.seed(tuple(typed))
    assert "abandon" not in str(wrong.value)


def test_what_is_typed_is_read_whatever_its_spaces_and_capitals():
    assert words.clean("  Abandon\tART\n") == ["abandon", "art"]


# --- randomness -------------------------------------------------------------------------------------------------------


def thrown(seed, count=entropy.DICE_MIN):
    dice = random.Random(seed)
    return "".join(str(dice.randint(1, 6)) for _ in range(count))


def test_fair_dice_and_wild_typing_are_taken():
    for seed in range(200):
        assert entropy.check_dice(thrown(seed)) == thrown(seed)
    keys = random.Random(7)
    typed = "".join(keys.choice("qwertyuiopasdfghjklzxcvbnm1234567890,.-") for _ in range(240))
    assert entropy.check_keys(typed) == typed
    for _ in range(20):
        entropy.check_system()


LOADED = "6" * 45 + thrown(1, 60)


@pytest.mark.parametrize(
    ("rolls", "complaint"),
    [
        (thrown(1, 99), "too few"),
        (thrown(1)[:-1] + "7", "1 to 6"),
        ("1" * 100, "unevenly"),
        ("123456" * 17, "From one roll to the next"),
        (thrown(3, 20) * 6, "comes again after 20"),
        ("".join(random.Random(2).sample(LOADED, len(LOADED))), "unevenly"),
    ],
)
def test_dice_that_were_not_thrown_are_refused(rolls, complaint):
    with pytest.raises(SourcePoor, match=complaint):
        entropy.check_dice(rolls)


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ("too short", "too few"),
        ("a" * 300, "comes again"),
        ("asdf" * 80, "comes again"),
        ("the quick brown fox jumps over the lazy dog " * 8, "comes again"),
        ("".join(random.Random(5).choice("aaaaaaab") for _ in range(300)), r"comes again|bits"),
    ],
)
def test_typing_that_can_be_guessed_is_refused(typed, complaint):
    with pytest.raises(SourcePoor, match=complaint):
        entropy.check_keys(typed)


@pytest.mark.parametrize(
    ("draw", "complaint"),
    [
        (bytes, "in a row"),
        (lambda size: bytes(range(256)) * (size // 256) + bytes(range(size % 256)), "same bytes twice"),
        (lambda size: bytes(random.Random().choice(b"abcdefgh") for _ in range(size)), r"too often|in a row"),
        (lambda size: random.Random(4).randbytes(size), "same bytes twice"),
    ],
)
def test_a_broken_machine_is_refused(draw, complaint):
    with pytest.raises(SourcePoor, match=complaint):
        entropy.check_system(draw)


def test_either_source_alone_changes_the_seed():
    system, people = os.urandom(32), thrown(9)
    one = entropy.mix(system, people)
    assert len(one) == 32
    assert len({one, entropy.mix(os.urandom(32), people), entropy.mix(system, people[:-1] + "x")}) == 3
    assert entropy.mix(system, people) == one


# --- the log ----------------------------------------------------------------------------------------------------------


def written(path, count=3, seed=b"\x01" * 32):
    for number in range(count):
        ceremony_log.append(
            path,
            secret=SoftwareSigner(seed).ceremony_key(),
            event="ceremony",
            now=NOW,
            facts={"people": [f"p{number}"]},
        )
    return path.read_bytes().splitlines(keepends=True)


def test_the_log_says_who_was_there_and_is_checked(tmp_path):
    path = tmp_path / "ceremony.log"
    written(path)
    lines = ceremony_log.read(path)
    assert [(line["number"], line["people"]) for line in lines] == [(1, ["p0"]), (2, ["p1"]), (3, ["p2"])]
    with pytest.raises(LogForged, match="another seed"):
        written(path, seed=b"\x02" * 32)


def test_an_altered_log_is_noticed(tmp_path):
    path = tmp_path / "ceremony.log"
    one, two, three = written(path)
    other = written(tmp_path / "other.log", seed=b"\x02" * 32)
    forged = json.loads(two)
    forged["people"] = ["somebody else"]
    for lines in (
        [one, json.dumps(forged).encode() + b"\n", three],
        [one, three],
        [two, three],
        [one, one, two],
        [one, two.replace(b"p1", b"p9"), three],
        [one, other[1]],
        [one, b"{}\n"],
        [one, b"nothing\n"],
    ):
        path.write_bytes(b"".join(lines))
        with pytest.raises(LogForged):
            ceremony_log.read(path)
