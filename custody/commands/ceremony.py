"""`custody ceremony|restore|log`: people make a seed together, write it down, prove that they did, and can bring it back.

Everything is asked at a terminal and nothing is written until all of it is right, so whatever is cut short is begun again:
words of a ceremony that did not end open nothing. What must never happen here: a seed that nobody has written down, words in a
file or a pipe, one person who holds both the words and what opens the keystore, or a drill that changes anything.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings

from custody import accounts, ceremony_log, entropy, establishing, keystore, words
from custody.accounts import Accounts
from custody.commands import keys
from custody.commands.errors import NotDone
from custody.public_keys import document, first_addresses
from custody.signer_paths import accounts_path, ceremony_log_path
from custody.signers.software import SoftwareSigner

PEOPLE_MIN, PEOPLE_MAX = 2, 20
TRIES = 3
CLEAR = "\033[3J\033[2J\033[H"
ITEMS = {
    "words": "the words on paper",
    "opens the keystore": "the passphrase (or the Vault token) that opens the keystore",
}

Ask = Callable[[str], str]


def add_arguments(actions: Any) -> None:
    ceremony = actions.add_parser("ceremony", help="make the keys with a written-down backup, people present")
    restore = actions.add_parser("restore", help="make the keystore anew from the written-down words")
    restore.add_argument("--drill", action="store_true", help="only compare; nothing is written")
    restore.add_argument(
        "--known", type=Path, metavar="FILE", help="the public keys of the old signer, to compare with"
    )
    for action in (ceremony, restore):
        action.add_argument("--public", type=Path, metavar="FILE", help="write the public keys there as JSON")
    actions.add_parser("log", help="check and print the log of who held what")


def ceremony(options: dict[str, Any], *, say: Any, ask: Ask = input) -> None:
    """From nobody's seed to a keystore. Raises NotDone, SourcePoor and what `establish` raises."""
    establishing.refuse_second()
    _need_terminal()
    entropy.check_system()
    say("A key ceremony. Everybody who is named must see this screen; no camera, no other machine's.")
    people = _people(ask)
    source, typed = _from_people(say, ask)
    made = words.of_entropy(entropy.mix(secrets.token_bytes(32), typed))
    _write_down(made, say, ask)
    signer = SoftwareSigner(words.seed(made))
    _show_names(signer, say)
    held = {item: _holder(ask, say, what, people) for item, what in ITEMS.items()}
    if held["words"] == held["opens the keystore"]:
        raise NotDone(
            "One person would hold both the words and what opens the keystore. Nothing was written; begin again."
        )
    establishing.establish(words.seed(made), say=say)
    keys.record(signer, "ceremony", {"people": people, "held": held, "source": source, "words": words.COUNT})
    keys.print_public(signer, options, say=say)
    say(f"Done. Note the fingerprint {signer.fingerprint} and the log's key on paper: {_log_key(signer)}")


def restore(options: dict[str, Any], *, say: Any, ask: Ask = input) -> None:
    """From the words to the keystore, or to a comparison. Raises NotDone, WordsWrong and what `establish` raises."""
    if not options["drill"]:
        establishing.refuse_second()
    _need_terminal()
    known = _known(options["known"])
    signer, seed = _from_words(say, ask)
    rotated = _compare(signer, known, say)
    if options["drill"]:
        say(
            "The words are right. Nothing was written."
            if known
            else "Nothing was written, and nothing to compare with."
        )
        return
    if not known and ask(f"Is {signer.fingerprint} the fingerprint on paper? (yes/no) ").strip() != "yes":
        raise NotDone("The words belong to another seed. Nothing was written.")
    establishing.establish(seed, rotated=rotated, say=say)
    keys.record(signer, "restore", {"people": _people(ask)})
    keys.print_public(signer, options, say=say)
    say(
        "Restored. The limits are the first ones again, and what left lately counts only if the velocity log came along."
    )


def log(*, say: Any) -> None:
    """Raises LogForged, NotDone."""
    if not ceremony_log_path().exists():
        raise NotDone("There is no log of ceremonies here: no ceremony was held on this machine.")
    for line in ceremony_log.read(ceremony_log_path()):
        facts = {name: line[name] for name in line if name not in ("signature", "before", "public_key")}
        say(json.dumps(facts, ensure_ascii=False))
    say(f"Every line is signed by the key {line['public_key']}; compare it with the paper.")


def _need_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise NotDone("This needs a terminal: words that pass through a pipe or a file stay there.")


def _people(ask: Ask) -> list[str]:
    people: list[str] = []
    while len(people) < PEOPLE_MAX:
        name = " ".join(ask(f"Who is present? Name {len(people) + 1} (empty when all are named): ").split())
        if name and name not in people and name.isprintable() and len(name) <= 80:
            people.append(name)
        elif not name and len(people) >= PEOPLE_MIN:
            break
    return people


def _from_people(say: Any, ask: Ask) -> tuple[str, str]:
    """("dice" | "keyboard", what was thrown or typed). Raises SourcePoor after some tries."""
    for attempt in range(TRIES):
        kind = ""
        while kind not in ("d", "k"):
            kind = ask("Randomness of your own: dice (d) or the keyboard (k)? ").strip().lower()
        try:
            if kind == "d":
                return "dice", entropy.check_dice(_collect(ask, "Rolls of a die, as digits", entropy.DICE_MIN))
            return "keyboard", entropy.check_keys(_collect(ask, "Type wildly", entropy.KEYS_MIN))
        except entropy.SourcePoor as poor:
            say(f"Refused: {poor}")
            if attempt == TRIES - 1:
                raise
    raise AssertionError("the last try returns or raises")


def _collect(ask: Ask, what: str, enough: int) -> str:
    text = ""
    while len(text) < enough:
        line = "".join(ask(f"{what} ({len(text)} of {enough}; empty line to stop): ").split())
        if not line:
            break
        text += line
    return text


def _write_down(made: tuple[str, ...], say: Any, ask: Ask) -> None:
    """Shows the words, hides them, and asks for all of them until they are right."""
    while True:
        for row in range(0, len(made), 4):
            say("   ".join(f"{row + at + 1:2}. {word:<10}" for at, word in enumerate(made[row : row + 4])))
        ask("Write them on paper, with their numbers. Enter hides them. ")
        say(CLEAR + "Now read them back from the paper.")
        typed = _typed(ask)
        wrong = [str(number) for number, (one, two) in enumerate(zip(made, typed, strict=False), 1) if one != two]
        if len(typed) == len(made) and not wrong:
            say(CLEAR + "The paper is right.")
            return
        say(CLEAR + f"Not the same: word {', '.join(wrong) or 'count'}. Look again.")


def _typed(ask: Ask) -> tuple[str, ...]:
    typed: list[str] = []
    while len(typed) < words.COUNT:
        typed += words.clean(ask(f"Word {len(typed) + 1}: "))
    return tuple(typed)


def _from_words(say: Any, ask: Ask) -> tuple[SoftwareSigner, bytes]:
    typed = _typed(ask)
    say(CLEAR)
    seed = words.seed(typed)
    signer = SoftwareSigner(seed)
    _show_names(signer, say)
    return signer, seed


def _show_names(signer: SoftwareSigner, say: Any) -> None:
    say(f"fingerprint {signer.fingerprint}")
    for network, address in first_addresses(signer, settings.CHAINS).items():
        say(f"first address on {network}: {address}")


def _holder(ask: Ask, say: Any, what: str, people: list[str]) -> str:
    while True:
        name = " ".join(ask(f"Who takes {what}? ").split())
        if name in people:
            return name
        say(f"It must be one of: {', '.join(people)}.")


def _known(path: Path | None) -> dict[str, Any]:
    """The old signer's public document, or the fingerprint of the keystore that stands here, or nothing."""
    if path is not None:
        try:
            body = json.loads(path.read_text())
            return {"fingerprint": str(body["fingerprint"]), "accounts": list(body["accounts"])}
        except (ValueError, KeyError, TypeError):
            raise NotDone(f"{path} is no file of public keys.") from None
    here = Path(settings.KEYSTORE_PATH)
    return {"fingerprint": keystore.fingerprint_of(here), "accounts": []} if here.exists() else {}


def _compare(signer: SoftwareSigner, known: dict[str, Any], say: Any) -> Accounts | None:
    """Raises NotDone unless the words give what is known; the hot accounts that were rotated to, if it says."""
    if not known:
        return None
    if signer.fingerprint != known["fingerprint"]:
        raise NotDone(
            f"These words give the fingerprint {signer.fingerprint}, and not {known['fingerprint']}. Nothing was written."
        )
    say(f"The fingerprint is the known one: {signer.fingerprint}")
    if not known["accounts"]:
        return accounts.read(accounts_path())
    rotated = _rotated(known["accounts"])
    if document(signer, settings.CHAINS, rotated)["accounts"] != known["accounts"]:
        raise NotDone("The fingerprint is the known one, but an account's public key is not. Nothing was written.")
    say(f"All {len(known['accounts'])} public keys are the known ones.")
    return rotated


def _rotated(rows: list[dict[str, Any]]) -> Accounts:
    hot: dict[str, list[int]] = {}
    for row in rows:
        if row["role"] == "hot":
            hot.setdefault(row["network"], []).append(int(row["path"].split("/")[3].rstrip("'")))
    return Accounts({network: tuple(numbers) for network, numbers in hot.items() if len(numbers) > 1})


def _log_key(signer: SoftwareSigner) -> str:
    return str(ceremony_log.read(ceremony_log_path())[-1]["public_key"])
