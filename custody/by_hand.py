"""`manage.py custody sign` and `custody verify`: on a person's own machine, with a Trezor or a file, and of the exchange's
nothing but this code.

It says in plain words what will be signed before anything is signed, from what the file proves and not from what it claims, and
writes a new file beside the old one. Cold coins return to the house's hot accounts or stay in their wallet: that is held against
the signer's own public keys (`--house`), because the page that gave the file, and the address on it, are the database's word.
What must never happen here: a database, a keystore, a setting of the exchange's, a file written over, a signature before a
person has said yes, or one for an output that is not the house's, unless that person asked for no check.
"""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from getpass import getpass
from pathlib import Path
from typing import Any

from custody import house
from custody.house import House
from custody.signers import psbt, psbt_file, psbt_view
from custody.signers.psbt_view import View
from wallets.chains.bip32 import HARDENED
from wallets.chains.evm import account
from wallets.chains.evm import address as addresses
from wallets.chains.evm import payout as evm
from wallets.chains.protocol import ChainError, MalformedData
from wallets.chains.utxo import descriptors
from wallets.chains.utxo.parameters import Parameters, everything, parameters

FILE_SIZE_MAX = 8_000_000
SAYS_MAX = 60
UNSIGNED, SIGNED = "bourse-unsigned", "bourse-signed"
SYMBOLS = {"bitcoin": "BTC", "litecoin": "LTC"}
OURS, NOT_OURS, NOT_CHECKED = "proved: the house's own hot account", "NOT OURS", "NOT CHECKED"

Say = Callable[[str], Any]
Ask = Callable[[str], str]


class NotSigned(Exception):
    """Why nothing was written; the text is for the person at the keyboard."""


def add_arguments(sign: ArgumentParser) -> None:
    """What `custody sign` takes."""
    sign.add_argument("files", type=Path, nargs="+", metavar="FILE", help="what the exchange's page gave you")
    how = sign.add_mutually_exclusive_group(required=True)
    how.add_argument("--trezor", action="store_true", help="sign with a Trezor (USB, or where TREZOR_PATH says)")
    how.add_argument("--psbt", action="store_true", help="check what any wallet signed, and join several files in one")
    against = sign.add_mutually_exclusive_group(required=True)
    against.add_argument(
        "--house",
        type=Path,
        metavar="PUBLIC.json",
        help="the signer's public keys, from its machine (custody show --public): nothing may be paid to anybody else",
    )
    against.add_argument(
        "--unchecked", action="store_true", help="without that file: whose each address is, you have proved elsewhere"
    )
    sign.add_argument(
        "--chain", default="", metavar="'COIN NETWORK'", help="such as 'bitcoin mainnet'; else the file's own"
    )
    sign.add_argument("--key-path", default="", metavar="PATH", help="an Ethereum key's path on the device")
    sign.add_argument("--out", type=Path, help="where to write; a file that stands already is left alone")
    sign.add_argument("--yes", action="store_true", help="do not ask before the device does")


def run(options: dict[str, Any], *, say: Say, ask: Ask = input) -> Path:
    """Shows, asks, signs or joins, writes; the file that was written. Raises NotSigned."""
    try:
        contents = [_read(path) for path in options["files"]]
        known = _house(options, say)
        if contents[0].lstrip().startswith(b"{"):
            suffix, result = ".signed.json", _account(contents, known, options, say, ask)
        else:
            suffix, result = ".signed.psbt", _coins(contents, known, options, say, ask)
    except ChainError as error:
        raise NotSigned(f"{error}. Nothing was written.") from None
    target: Path = options["out"] or options["files"][0].with_suffix(suffix)
    try:
        with target.open("xb") as handle:
            handle.write(result)
    except FileExistsError:
        raise NotSigned(f"{target} stands already; it was left alone. Name another with --out.") from None
    say(f"Written: {target}. Bring it back to the proposal's page.")
    return target


def add_verify_arguments(verify: ArgumentParser) -> None:
    """What `custody verify` takes."""
    verify.add_argument("wallet", help="a cold wallet's descriptor or account, as it was proposed")
    verify.add_argument("--chain", default="bitcoin mainnet", metavar="'COIN NETWORK'", help="of a descriptor")


def verify(options: dict[str, Any], *, say: Say, ask: Ask = input) -> None:
    """Has the device show the wallet's first address; whoever approves the wallet types its end. Raises NotSigned."""
    from custody.signers import trezor

    text = options["wallet"].strip()
    try:
        if "0x" in text and "(" not in text:
            owner = account.parse(text)
            shown, wanted = trezor.evm_address_of(_session(say, ask), owner.path, show=True), owner.address
        else:
            wallet = descriptors.parse(text, parameters(*options["chain"].split(" ", 1)))
            shown, wanted = trezor.show_address(_session(say, ask), wallet, 0, 0), wallet.address(0, 0).text
    except (ChainError, TypeError) as error:
        raise NotSigned(f"{error}.") from None
    if shown != wanted:
        raise NotSigned("The device shows another address than this wallet's first. Do not approve it.")
    say("The device's address is this wallet's first. Type its end, off the device's screen, on the wallet's page.")


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > FILE_SIZE_MAX:
            raise NotSigned(f"{path} is larger than such a file can be.")
        return path.read_bytes()
    except OSError as error:
        raise NotSigned(f"{path} cannot be read: {error.strerror}.") from None


def _house(options: dict[str, Any], say: Say) -> House | None:
    """The house's public keys; None when the person does without. Raises MalformedData."""
    if options["house"] is None:
        say(
            "Nothing proves here whose the addresses are. Compare them with what the signer's machine told, not with a page."
        )
        return None
    known = house.read(options["house"])
    say(
        f"The house: fingerprint {known.fingerprint}, check {known.check}. Compare both with the paper of the ceremony."
    )
    return known


def _whose(known: House | None, network: str, chain: str | int, key: bytes) -> str:
    """What is said of an output to this key. Raises MalformedData where the public keys are of another chain."""
    if known is None:
        return NOT_CHECKED
    return OURS if known.owns(network, chain, key) else NOT_OURS


def _refuse_strangers(whose: Iterable[str]) -> None:
    """Raises NotSigned where an output is nobody's of the house."""
    if NOT_OURS in whose:
        raise NotSigned(
            "This pays an address that no hot account of the public keys leads to. Do not sign it anywhere, and ask who made"
            " this proposal: the page's word for an address proves nothing. Nothing was written."
        )


def _confirm(options: dict[str, Any], ask: Ask) -> None:
    if not options["yes"] and ask("Is this what you came to sign? Type yes: ").strip().lower() != "yes":
        raise NotSigned("You did not say yes. Nothing was signed.")


# --- Coins --------------------------------------------------------------------------------------------------------


def _coins(contents: list[bytes], known: House | None, options: dict[str, Any], say: Say, ask: Ask) -> bytes:
    chain = _chain(contents[0], options["chain"])
    views = [psbt_view.look(content, chain) for content in contents]
    view = _joined(views, chain)
    whose = {
        output.script: _whose(known, chain.name, chain.network, output.script)
        for output in view.outputs
        if output.owned is None
    }
    for line in words(view, chain, whose):
        say(line)
    _refuse_strangers(whose.values())
    if options["psbt"]:
        _say_progress(view, say)
        return view.file.serialize()
    if len(contents) > 1:
        raise NotSigned("A device signs one file; join several with --psbt first.")
    _confirm(options, ask)
    from custody.signers import trezor

    say("Now look at the device: it shows the same addresses and amounts, and asks you.")
    signed = trezor.sign_psbt(_session(say, ask), view, chain)
    _say_progress(psbt_view.look(signed, chain), say)
    return signed


def _chain(content: bytes, named: str) -> Parameters:
    file = psbt_file.read(psbt_file.decode_text(content))
    coin, _, network = (named or psbt.note(file).get("network", "")).partition(" ")
    if not coin:
        known = ", ".join(f"'{row.name} {row.network}'" for row in everything())
        raise MalformedData(f"the file does not say which chain it is for: add --chain, one of {known}")
    return parameters(coin, network)


def _joined(views: list[View], chain: Parameters) -> View:
    """One view with every file's good signatures. Raises MalformedData for another transaction or a bad signature."""
    first = views[0]
    for view in views:
        if view.file.unsigned != first.file.unsigned:
            raise MalformedData("these files are not of one transaction")
        digests = view.digests()
        for place, each in enumerate(view.inputs):
            keys = {key.public_key for key in each.owned.leaf.keys}
            for public_key, signature in each.signatures.items():
                if public_key not in keys or not digests.good(place, public_key, signature):
                    raise MalformedData(f"a signature of input {place + 1} is not good for this transaction")
                taproot = each.owned.leaf.script[0] == 0x51
                name = psbt_file.TAP_SIGNATURE if taproot else bytes([psbt_file.PARTIAL_SIGNATURE]) + public_key
                first.file.inputs[place][name] = signature
    return psbt_view.look(first.file.serialize(), chain)


def words(view: View, chain: Parameters, whose: Mapping[bytes, str]) -> list[str]:
    """What the file will do, a line each. Amounts are proved by the previous transactions; `whose`: of each script paid."""
    symbol = SYMBOLS.get(chain.name, chain.name)
    members = len(view.inputs[0].owned.leaf.keys)
    wallet = (
        "a single-key wallet" if members == 1 else f"a wallet of {members} keys, of which {view.threshold} must sign"
    )
    lines = [f"This transaction on {chain.name} {chain.network} spends {len(view.inputs)} coins of {wallet}:"]
    lines += [f"  coin   {_coins_text(each.coin.amount, symbol)}  {each.coin.outpoint}" for each in view.inputs]
    for output in view.outputs:
        where, tail = "back   ", "proved: the same wallet's own"
        if output.owned is None:
            where, tail = "pays   ", whose[output.script]
        lines.append(f"  {where}{_coins_text(output.amount, symbol)}  to {output.address}  ({tail})")
    lines.append(f"  fee    {_coins_text(view.fee, symbol)}")
    lines.append("Compare the amounts with the proposal's page before you go on.")
    return lines


def _coins_text(amount: int, symbol: str) -> str:
    return f"{Decimal(amount).scaleb(-8):.8f} {symbol}"


def _say_progress(view: View, say: Say) -> None:
    names = sorted(fingerprint.hex() for fingerprint in view.signed_by())
    lacking = max(0, view.threshold - len(names))
    say(f"Signed by {', '.join(names) or 'nobody yet'}.")
    say("Enough have signed." if not lacking else f"{lacking} more must sign.")


# --- An account ---------------------------------------------------------------------------------------------------


def _account(contents: list[bytes], known: House | None, options: dict[str, Any], say: Say, ask: Ask) -> bytes:
    if options["psbt"] or len(contents) != 1:
        raise NotSigned("An account's transaction is one file, and a device signs it: use --trezor.")
    body = _document(contents[0])
    unsigned = evm.from_json(body.get("unsigned") or {})
    owner = account.parse(str(body.get("account", "")))
    if owner.address != unsigned.from_address:
        raise MalformedData("the file's account is not the one that its transaction spends from")
    key = addresses.parse(unsigned.payment.address).key
    whose = _whose(known, unsigned.network, unsigned.transaction.chain_id, key)
    for line in account_words(unsigned, str(body.get("says", "")), whose):
        say(line)
    _refuse_strangers([whose])
    _confirm(options, ask)
    from custody.signers import trezor

    path = _path(options["key_path"]) if options["key_path"] else owner.path
    say("Now look at the device: it shows the same address and amount, and asks you.")
    raw = trezor.sign_evm(_session(say, ask), unsigned, path)
    signed = {"format": SIGNED, "version": 1, "proposal": body.get("proposal", ""), "raw": "0x" + raw.hex()}
    return json.dumps(signed, indent=1).encode() + b"\n"


def _document(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise MalformedData("this is not the file that the exchange's page gave") from None
    if not isinstance(body, dict) or body.get("format") != UNSIGNED or body.get("version") != 1:
        raise MalformedData("this is not an unsigned transaction of version 1")
    return body


def account_words(unsigned: evm.UnsignedEvm, says: str, whose: str) -> list[str]:
    """What an account's transaction will do, a line each."""
    payment, fields = unsigned.payment, unsigned.transaction
    # The file's own words: one short line of them, so that they cannot pass for ours.
    says = "".join(each for each in says if each.isprintable())[:SAYS_MAX]
    fee = f"{Decimal(unsigned.fee_max).scaleb(-18).normalize():f}"
    lines = [f"This transaction on {unsigned.network} (chain {fields.chain_id}) sends from {unsigned.from_address}:"]
    if payment.contract:
        lines.append(
            f"  pays   {payment.amount} units of the token {payment.contract}  to {payment.address}  ({whose})"
        )
        if says:
            lines.append(f"         (the exchange calls that {says}; the device shows the units)")
    else:
        lines.append(
            f"  pays   {Decimal(payment.amount).scaleb(-18).normalize():f} of the chain's coin  to {payment.address}"
            f"  ({whose})"
        )
    lines.append(f"  fee    at most {fee} of the chain's coin")
    lines.append(f"  nonce  {fields.nonce}")
    lines.append("Compare the amounts with the proposal's page before you go on.")
    return lines


def _path(text: str) -> tuple[int, ...]:
    steps = []
    for step in text.removeprefix("m/").split("/"):
        digits = step.rstrip("'h")
        if not (digits.isascii() and digits.isdecimal()) or int(digits) >= HARDENED:
            raise MalformedData("a key's path looks like m/44'/60'/0'/0/0")
        steps.append(int(digits) + (HARDENED if digits != step else 0))
    return tuple(steps)


# --- The device ---------------------------------------------------------------------------------------------------


def _session(say: Say, ask: Ask) -> Any:
    """An open session with the device at TREZOR_PATH, or the first that is plugged in. Raises NotSigned.

    The older model takes its PIN by the places of a grid that it shows, and its passphrase from here.
    """
    from trezorlib import exceptions
    from trezorlib.client import get_default_client, get_default_session
    from trezorlib.transport import TransportException

    def pressed(_: object) -> None:
        say("… confirm on the device.")

    try:
        client = get_default_client(
            "Bourse",
            os.environ.get("TREZOR_PATH"),
            button_callback=pressed,
            pin_callback=lambda _: ask("PIN, by the places on the device (7 8 9 above, 1 2 3 below): ").strip(),
            code_entry_callback=lambda: ask("The code that the device shows: ").strip(),
        )
        return get_default_session(client, lambda: getpass("Passphrase: "))
    except (TransportException, exceptions.TrezorException, OSError) as error:
        raise NotSigned(f"No device answers: {error}. Plug it in and unlock it, or set TREZOR_PATH.") from None
