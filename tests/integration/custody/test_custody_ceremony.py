"""The ceremony at a terminal: people make a seed, write it down, and bring it back; whatever is cut short is begun again."""

import json
import os
import random
import re
import stat
import subprocess
import sys

import pytest

from custody import ceremony_log, keystore, words
from custody.signers.software import SoftwareSigner
from custody.velocity import Reservation, VelocityLog

from .conftest import ROOT
from .terminal import Terminal

DICE = "".join(map(str, random.Random(20261120).choices(range(1, 7), k=110)))


class Machine:
    """A signer's machine before there are keys."""

    def __init__(self, folder):
        self.folder = folder
        self.terminals = []

    @property
    def environment(self):
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings.signer",
            "KEYSTORE_PATH": str(self.folder / "keystore.json"),
            "KEYSTORE_PASSPHRASE_FILE": str(self.folder / "passphrase"),
            "VELOCITY_LOG_PATH": str(self.folder / "velocity.log"),
            "SIGNER_DATABASE_URL": "postgresql://bourse_signer@127.0.0.1:9/nothing",
            "REDIS_URL": "redis://127.0.0.1:9/0",
            "BITCOIN_NETWORK": "regtest",
            "LITECOIN_NETWORK": "regtest",
            "ETHEREUM_CHAIN_ID": "31337",
        }

    def command(self, *arguments):
        return [sys.executable, "manage.py", "custody", *arguments]

    def sit_down(self, *arguments):
        terminal = Terminal(self.command(*arguments), cwd=str(ROOT), env=self.environment)
        self.terminals.append(terminal)
        return terminal

    def run(self, *arguments):
        return subprocess.run(
            self.command(*arguments),
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )

    def files(self):
        return sorted(entry.name for entry in self.folder.iterdir()) if self.folder.exists() else []


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path / "signer")
    yield made
    for terminal in made.terminals:
        terminal.close()


def gather(terminal, *names):
    for name in (*names, ""):
        terminal.expect("Who is present")
        terminal.type(name)


def throw(terminal, rolls=DICE):
    terminal.expect("dice .d. or the keyboard")
    terminal.type("d")
    terminal.expect("Rolls of a die")
    terminal.type(rolls)


def read_words(terminal):
    shown = terminal.expect("Enter hides them")
    found = dict(re.findall(r"(\d+)\. ([a-z]+)", shown))
    return tuple(found[str(number)] for number in range(1, words.COUNT + 1))


def type_words(terminal, typed):
    terminal.expect("Word 1:")
    terminal.type(" ".join(typed))


def to_the_words(machine):
    terminal = machine.sit_down("ceremony", "--public", str(machine.folder.parent / "public.json"))
    gather(terminal, "Anna", "Ben")
    throw(terminal)
    return terminal, read_words(terminal)


def hand_out(terminal, paper, opens):
    terminal.expect("Who takes the words")
    terminal.type(paper)
    terminal.expect("Who takes the passphrase")
    terminal.type(opens)


def whole_ceremony(machine):
    terminal, made = to_the_words(machine)
    terminal.type("")
    type_words(terminal, made)
    hand_out(terminal, "Anna", "Ben")
    terminal.expect("Done")
    assert terminal.end() == 0
    return made, terminal.said


def test_a_ceremony_makes_a_keystore_whose_words_are_on_paper_and_says_who_holds_what(machine):
    made, said = whole_ceremony(machine)
    signer = SoftwareSigner(words.seed(made))
    key = keystore.PassphraseFile(machine.folder / "passphrase")
    assert keystore.open_seed(machine.folder / "keystore.json", key=key) == words.seed(made)
    assert f"fingerprint {signer.fingerprint}" in said
    assert said.index("\033[2J") < said.index("read them back")
    public = json.loads((machine.folder.parent / "public.json").read_text())
    assert public["fingerprint"] == signer.fingerprint
    (line,) = ceremony_log.read(machine.folder / "ceremony.log")
    assert (line["people"], line["held"], line["source"]) == (
        ["Anna", "Ben"],
        {"words": "Anna", "opens the keystore": "Ben"},
        "dice",
    )
    assert line["public_key"] in said
    for name in machine.files():
        content = (machine.folder / name).read_bytes()
        assert stat.S_IMODE((machine.folder / name).stat().st_mode) == 0o600, name
        assert " ".join(made[:3]).encode() not in content, name
    shown = machine.run("log")
    assert "Anna" in shown.stdout, shown.stderr
    again = machine.run("ceremony")
    assert (again.returncode, "never overwritten" in again.stderr) == (1, True)


def test_words_that_are_read_back_wrongly_are_shown_again_and_one_person_does_not_hold_everything(machine):
    terminal, made = to_the_words(machine)
    terminal.type("")
    wrong = list(made)
    wrong[6] = "zoo" if made[6] != "zoo" else "zone"
    type_words(terminal, wrong)
    terminal.expect("Not the same: word 7")
    assert read_words(terminal) == made
    terminal.type("")
    type_words(terminal, made)
    terminal.expect("Who takes the words")
    terminal.type("Cleo")
    terminal.expect("one of: Anna, Ben")
    terminal.expect("Who takes the words")
    terminal.type("Ben")
    terminal.expect("Who takes the passphrase")
    terminal.type("Ben")
    assert terminal.end() == 1
    assert "One person would hold both" in terminal.said
    assert machine.files() == []


def test_poor_randomness_is_refused_and_nothing_is_written(machine):
    terminal = machine.sit_down("ceremony")
    gather(terminal, "Anna", "Ben")
    for rolls in ("1" * 100, "123456" * 20):
        throw(terminal, rolls)
        terminal.expect("Refused")
    terminal.expect("dice .d. or the keyboard")
    terminal.type("k")
    terminal.expect("Type wildly")
    terminal.type("asdf" * 60)
    assert terminal.end() == 1
    assert "comes again" in terminal.said
    assert machine.files() == []


def test_a_ceremony_through_a_pipe_is_refused(machine):
    done = machine.run("ceremony")
    assert (done.returncode, "needs a terminal" in done.stderr) == (1, True)
    done = machine.run("restore", "--drill")
    assert (done.returncode, "needs a terminal" in done.stderr) == (1, True)


def test_a_ceremony_that_is_cut_short_is_begun_again(machine):
    terminal, first = to_the_words(machine)
    terminal.kill()
    assert machine.files() == []
    # As if it had been killed while it wrote its files: everything stands but the keystore.
    machine.folder.mkdir(mode=0o700)
    VelocityLog.create(machine.folder / "velocity.log", key=b"of a seed that nobody knows any more")
    (machine.folder / ".keystore.json.0123").write_bytes(b"half a file")
    second, _ = whole_ceremony(machine)
    assert first != second
    assert machine.run("show").returncode == 0


def drill(machine, typed, *arguments):
    before = {name: (machine.folder / name).read_bytes() for name in machine.files()}
    terminal = machine.sit_down("restore", "--drill", *arguments)
    type_words(terminal, typed)
    code = terminal.end()
    assert {name: (machine.folder / name).read_bytes() for name in machine.files()} == before
    return code, terminal.said


def swapped(made):
    """Two neighbours in each other's place, so that the checksum notices."""
    for at in range(len(made) - 1):
        found = (*made[:at], made[at + 1], made[at], *made[at + 2 :])
        try:
            words.check(found)
        except words.WordsWrong:
            return found
    raise AssertionError("no swap is noticed")


def test_a_drill_compares_and_writes_nothing_and_a_restore_makes_the_same_keys_elsewhere(machine, tmp_path):
    made, _ = whole_ceremony(machine)
    public = machine.folder.parent / "public.json"
    assert machine.run("rotate", "bitcoin", "--public", str(public)).returncode == 0
    signer = SoftwareSigner(words.seed(made))
    code, said = drill(machine, made)
    assert (code, f"The fingerprint is the known one: {signer.fingerprint}" in said) == (0, True)
    other = words.of_entropy(bytes(range(32)))
    code, said = drill(machine, other)
    assert (code, "These words give the fingerprint" in said) == (1, True)
    code, said = drill(machine, swapped(made))
    assert (code, "together they are no seed" in said) == (1, True), said
    elsewhere = Machine(tmp_path / "elsewhere")
    code, said = drill(elsewhere, made, "--known", str(public))
    assert (code, "public keys are the known ones" in said, elsewhere.files()) == (0, True, [])
    terminal = elsewhere.sit_down("restore", "--known", str(public))
    type_words(terminal, made)
    gather(terminal, "Anna", "Cleo")
    assert terminal.end() == 0
    shown = json.loads(elsewhere.run("show").stdout)
    assert shown == json.loads(public.read_text())
    assert [row["path"] for row in shown["accounts"]][:3] == ["m/84'/1'/0'", "m/84'/1'/1'", "m/84'/1'/3'"]
    events = [line["event"] for line in ceremony_log.read(machine.folder / "ceremony.log")]
    assert events == ["ceremony", "rotate"]


def test_a_restore_without_anything_to_compare_with_asks_for_the_fingerprint_and_keeps_its_log(machine):
    made = words.of_entropy(bytes(range(32)))
    signer = SoftwareSigner(words.seed(made))
    machine.folder.mkdir(mode=0o700)
    path = machine.folder / "velocity.log"
    VelocityLog.create(path, key=signer.log_key())
    log = VelocityLog.open(path, key=signer.log_key())
    log.reserve(Reservation("job", 1, "digest", {"bitcoin": 5}, {"bitcoin:a:0": "9"}, ("w",)))
    log.close()
    kept = path.read_bytes()
    terminal = machine.sit_down("restore")
    type_words(terminal, made)
    terminal.expect(f"Is {signer.fingerprint} the fingerprint on paper")
    terminal.type("no")
    assert terminal.end() == 1
    assert machine.files() == ["velocity.log"]
    terminal = machine.sit_down("restore")
    type_words(terminal, made)
    terminal.expect("the fingerprint on paper")
    terminal.type("yes")
    gather(terminal, "Anna", "Ben")
    assert terminal.end() == 0
    assert path.read_bytes() == kept
