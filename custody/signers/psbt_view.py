"""What a PSBT file will do, read from the file alone and proved as far as a file can prove it: for the person who is to sign.

Amounts come from the previous transactions, which hash to the ids that are spent; keys are derived again from the accounts'
extended keys. What must never happen here: an amount or an owner that the file only claims, shown as a fact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from custody.signers import psbt_file as files
from custody.signers import sighash
from custody.signers.psbt_file import Psbt
from wallets.chains import base58, bip32
from wallets.chains.bip32 import HARDENED, ExtendedPublicKey, hash160
from wallets.chains.protocol import ChainError, MalformedData
from wallets.chains.utxo import script as scripts
from wallets.chains.utxo import transaction
from wallets.chains.utxo.descriptors import Leaf, LeafKey, taproot_output
from wallets.chains.utxo.parameters import Parameters
from wallets.chains.utxo.payout import Coin
from wallets.chains.utxo.transaction import Transaction

# Beyond, a wallet's own coins are lost to whoever does not know the place: whoever sent them there could ask a ransom for it.
INDEX_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Account:
    """One of the file's extended keys: whose, where, and the key."""

    fingerprint: bytes
    origin: tuple[int, ...]
    key: ExtendedPublicKey


@dataclass(frozen=True, slots=True)
class Owned:
    """A script of the wallet's keys, in the order of the script. `accounts` belong to `leaf.keys`, one by one."""

    leaf: Leaf
    accounts: tuple[Account, ...]
    threshold: int

    @property
    def wallet(self) -> tuple[int, int, frozenset[bytes]]:
        """What two scripts of one wallet have in common."""
        kind = len(self.leaf.script) << 8 | self.leaf.script[0]
        return kind, self.threshold, frozenset(account.key.key for account in self.accounts)

    @property
    def findable(self) -> bool:
        """Whether the owner's programs look there: every key at one place, receiving or change, and not absurdly far out."""
        places = {key.path[-2:] for key in self.leaf.keys}
        branch, index = min(places)
        return len(places) == 1 and branch in (0, 1) and index < INDEX_MAX


@dataclass(frozen=True, slots=True)
class InputView:
    """A coin that will be spent."""

    coin: Coin
    owned: Owned
    previous: Transaction
    signatures: Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class OutputView:
    """An output. `owned` is set only where it is proved to return to the very wallet that is spent, where its owner looks."""

    address: str
    amount: int
    script: bytes
    owned: Owned | None


@dataclass(frozen=True, slots=True)
class View:
    """The whole."""

    file: Psbt
    inputs: tuple[InputView, ...]
    outputs: tuple[OutputView, ...]

    @property
    def fee(self) -> int:
        return sum(each.coin.amount for each in self.inputs) - sum(each.amount for each in self.outputs)

    @property
    def threshold(self) -> int:
        return self.inputs[0].owned.threshold

    def digests(self) -> sighash.Digests:
        return sighash.Digests(
            self.file.unsigned, [each.coin for each in self.inputs], [each.owned.leaf for each in self.inputs]
        )

    def signed_by(self) -> frozenset[bytes]:
        """The fingerprints of the master keys whose good signatures are on every input."""
        digests = self.digests()
        each = [
            {
                key.fingerprint
                for key in view.owned.leaf.keys
                if (signature := view.signatures.get(key.public_key)) and digests.good(place, key.public_key, signature)
            }
            for place, view in enumerate(self.inputs)
        ]
        return frozenset.intersection(*map(frozenset, each))


def look(data: bytes, parameters: Parameters) -> View:
    """Reads a file (bytes, base64 or hex). Raises MalformedData with a sentence that says what is missing or wrong."""
    file = files.read(files.decode_text(data))
    accounts = [_account(key[1:], value) for key, value in file.top.items() if key[0] == files.XPUB and len(key) == 79]
    inputs = tuple(_input(file, place, accounts) for place in range(len(file.inputs)))
    if not inputs or len({each.owned.wallet for each in inputs}) != 1:
        raise MalformedData("the coins of this file are not all of one wallet")
    outputs = tuple(_output(file, place, accounts, inputs[0].owned, parameters) for place in range(len(file.outputs)))
    view = View(file, inputs, outputs)
    if view.fee < 0:
        raise MalformedData("the outputs are larger than the coins that are spent")
    return view


def _account(raw: bytes, value: bytes) -> Account:
    fingerprint, origin = files.read_origin(value)
    try:
        return Account(fingerprint, origin, bip32.parse(base58.encode(raw)))
    except ChainError:
        raise MalformedData("an extended key of the file cannot be read") from None


def _input(file: Psbt, place: int, accounts: list[Account]) -> InputView:
    entries, spent = file.inputs[place], file.unsigned.inputs[place]
    whole = entries.get(files.NON_WITNESS_UTXO)
    if whole is None:
        raise MalformedData(f"input {place + 1} comes without its previous transaction: its amount cannot be checked")
    previous = transaction.decode(whole)
    if previous.txid != spent.txid or spent.vout >= len(previous.outputs):
        raise MalformedData(f"input {place + 1} comes with another previous transaction")
    made = previous.outputs[spent.vout]
    owned = _owned(
        made.script,
        entries.get(files.REDEEM_SCRIPT, b""),
        entries.get(files.WITNESS_SCRIPT, b""),
        _keys(entries, files.DERIVATION, files.TAP_DERIVATION),
        accounts,
    )
    if owned is None:
        raise MalformedData(f"input {place + 1} is not described so that its keys can be checked")
    found = {key[1:]: value for key, value in entries.items() if key[0] == files.PARTIAL_SIGNATURE}
    if files.TAP_SIGNATURE in entries:
        found[owned.leaf.keys[0].public_key] = entries[files.TAP_SIGNATURE]
    return InputView(Coin(spent.txid, spent.vout, made.amount, made.script, ""), owned, previous, found)


def _output(file: Psbt, place: int, accounts: list[Account], spent: Owned, parameters: Parameters) -> OutputView:
    entries, made = file.outputs[place], file.unsigned.outputs[place]
    owned = _owned(
        made.script,
        entries.get(files.OUT_REDEEM_SCRIPT, b""),
        entries.get(files.OUT_WITNESS_SCRIPT, b""),
        _keys(entries, files.OUT_DERIVATION, files.OUT_TAP_DERIVATION),
        accounts,
    )
    if owned is not None and (owned.wallet != spent.wallet or not owned.findable):
        owned = None
    address = scripts.address(made.script, parameters) or f"a script without address ({made.script.hex()})"
    return OutputView(address, made.amount, made.script, owned)


def _keys(entries: files.Map, plain: int, tap: int) -> dict[bytes, tuple[bytes, tuple[int, ...]]]:
    """Fingerprint and path by public key; a taproot key stands here with an even y."""
    found = {key[1:]: files.read_origin(value) for key, value in entries.items() if key[0] == plain}
    for key, value in entries.items():
        if key[0] == tap and len(key) == 33 and value[:1] == b"\x00":
            found[b"\x02" + key[1:]] = files.read_origin(value[1:])
    return found


def _owned(
    script: bytes,
    redeem: bytes,
    witness: bytes,
    keys: Mapping[bytes, tuple[bytes, tuple[int, ...]]],
    accounts: list[Account],
) -> Owned | None:
    """The script as one of the accounts', or None when that cannot be proved."""
    proved = {}
    for public_key, (fingerprint, path) in keys.items():
        account = next((each for each in accounts if _derives(each, fingerprint, path, public_key)), None)
        if account is None:
            return None
        proved[public_key] = (LeafKey(public_key, fingerprint, path), account)
    program = redeem or script
    if redeem and script != b"\xa9\x14" + hash160(redeem) + b"\x87":
        return None
    if witness:
        threshold, members = _multisig(witness)
        if program != b"\x00\x20" + sha256(witness).digest() or not members or set(members) != set(proved):
            return None
    else:
        threshold, members = 1, list(proved)
        if len(members) != 1 or not _pays(program, members[0]):
            return None
    chosen = [proved[member] for member in members]
    leaf = Leaf(script, tuple(key for key, _ in chosen), redeem, witness)
    return Owned(leaf, tuple(account for _, account in chosen), threshold)


def _derives(account: Account, fingerprint: bytes, path: tuple[int, ...], public_key: bytes) -> bool:
    steps = path[len(account.origin) :]
    if account.fingerprint != fingerprint or path[: len(account.origin)] != account.origin or len(steps) != 2:
        return False
    if any(step >= HARDENED for step in steps):
        return False
    derived = account.key.child(steps[0]).child(steps[1]).key
    return derived[1:] == public_key[1:] if public_key[0] == 2 else derived == public_key


def _pays(program: bytes, public_key: bytes) -> bool:
    if program[:2] == b"\x51\x20":
        return program[2:] == taproot_output(public_key[1:])
    return program == scripts.p2wpkh(hash160(public_key))


def _multisig(script: bytes) -> tuple[int, list[bytes]]:
    """(threshold, keys in order) of an n-of-m script whose keys are sorted; no keys when it is another script."""
    count = (len(script) - 3) // 34
    if not 1 <= count <= 15 or len(script) != 3 + 34 * count or script[-2:] != bytes([0x50 + count, 0xAE]):
        return 0, []
    members = [script[1 + 34 * at : 35 + 34 * at] for at in range(count)]
    threshold = script[0] - 0x50
    if any(member[0] != 0x21 for member in members) or not 1 <= threshold <= count or members != sorted(members):
        return 0, []
    return threshold, [member[1:] for member in members]
