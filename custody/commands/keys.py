"""`custody init|show|rotate|rewrap`: a keystore without a ceremony, its public half, a new hot account, another wrapping."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from custody import accounts, ceremony_log, establishing, house, key_sources, keystore, words
from custody.commands.errors import NotDone
from custody.public_keys import document
from custody.signer_paths import accounts_path, ceremony_log_path
from custody.signers.software import SoftwareSigner


def add_arguments(actions: Any) -> None:
    init = actions.add_parser("init", help="make keystore, velocity log and first limits without a written backup")
    init.add_argument("--if-missing", action="store_true", help="leave a keystore that stands alone and say so")
    show = actions.add_parser("show", help="print fingerprint and public keys")
    rotate = actions.add_parser("rotate", help="a new hot account for a network; the old one is still signed for")
    rotate.add_argument("network")
    for action in (init, show, rotate):
        action.add_argument("--public", type=Path, metavar="FILE", help="write the public keys there as JSON")
    rewrap = actions.add_parser("rewrap", help="wrap the keystore's key by another source; the seed stays the same")
    rewrap.add_argument("--to", required=True, choices=key_sources.SOURCES)


def init(options: dict[str, Any], *, say: Any) -> None:
    """For machines where losing the keys loses nothing. Raises NotDone and what `establish` raises."""
    if options["if_missing"] and Path(settings.KEYSTORE_PATH).exists():
        say(f"{settings.KEYSTORE_PATH} stands already.")
        show(options, say=say)
        return
    establishing.refuse_second()
    seed = words.seed(words.of_entropy(secrets.token_bytes(words.ENTROPY_SIZE)))
    print_public(establishing.establish(seed, say=say), options, say=say)


def show(options: dict[str, Any], *, say: Any) -> None:
    """Raises what opening the keystore raises."""
    print_public(SoftwareSigner(key_sources.open_seed()), options, say=say)


def rotate(options: dict[str, Any], *, say: Any) -> None:
    """The next hot account, from now on. Raises NotDone, AccountsUnreadable and what opening the keystore raises."""
    network = options["network"]
    if network not in settings.CHAINS:
        raise NotDone(f"There is no network {network}; there are: {', '.join(settings.CHAINS)}.")
    signer = SoftwareSigner(key_sources.open_seed())
    rotated = accounts.read(accounts_path()).with_next(network)
    accounts.write(accounts_path(), rotated)
    record(signer, "rotate", {"network": network, "hot_account": rotated.hot(network)[-1]})
    say(f"{network}: hot account {rotated.hot(network)[-1]}; still signed for: {_older(rotated.hot(network))}")
    print_public(signer, options, say=say)
    say("Now, under the web's settings: manage.py wallets import_xpubs FILE. Until then the old account is used.")


def _older(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers[:-1]))


def rewrap(options: dict[str, Any], *, say: Any) -> None:
    """Raises NotDone, SourceMissing, VaultFailed and what opening the keystore raises."""
    path = Path(settings.KEYSTORE_PATH)
    old, new = key_sources.for_file(path), key_sources.named(options["to"])
    if old.kdf == new.kdf:
        raise NotDone(f"The keystore is wrapped by {new.kdf} already.")
    keystore.rewrap(path, old=old, new=new)
    record(SoftwareSigner(key_sources.open_seed()), "rewrap", {"from": old.kdf, "to": new.kdf})
    say(
        f"{path} is wrapped by {new.kdf} now. Backups of the old file still open with {old.kdf}: destroy what you replaced."
    )


def record(signer: SoftwareSigner, event: str, facts: dict[str, Any]) -> None:
    """A line in the log of ceremonies. Raises LogForged."""
    ceremony_log.append(
        ceremony_log_path(),
        secret=signer.ceremony_key(),
        event=event,
        now=datetime.now(UTC),
        facts={"fingerprint": signer.fingerprint, **facts},
    )


def print_public(signer: SoftwareSigner, options: dict[str, Any], *, say: Any) -> None:
    """The public document, to a file or on the screen."""
    body = document(signer, settings.CHAINS, accounts.read(accounts_path()))
    text = json.dumps(body, indent=1)
    if options["public"]:
        options["public"].write_text(text + "\n")
        say(f"fingerprint {signer.fingerprint}; public keys in {options['public']}, check {house.check(body)}")
    else:
        say(text)
