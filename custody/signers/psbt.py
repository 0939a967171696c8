"""Cold coins on their way back: the file that is carried to the keys, and what is believed of the file that comes back.

What comes back is trusted for nothing but its signatures. Its transaction must be ours to the byte; each signature is verified
against our own scripts and amounts; the transaction that is sent is put together here, from our own values. So a file may be
cut, doctored or foreign: it is refused with a sentence, or it adds signatures, and there is no third way.
What must never happen here: a signature counted that was not verified, one key counted twice, or an amount taken from the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from custody.signers import psbt_file as files
from custody.signers import sighash
from custody.signers.psbt_file import Psbt
from wallets.chains import bip32
from wallets.chains.protocol import ChainError, MalformedData
from wallets.chains.utxo import descriptors, transaction
from wallets.chains.utxo.descriptors import Descriptor, Leaf
from wallets.chains.utxo.payout import Coin, UnsignedUtxo
from wallets.chains.utxo.transaction import Transaction, compact_size

OWNER = b"bourse"
Signatures = dict[int, dict[bytes, bytes]]  # by input, by public key (33 bytes; for a taproot input its internal key's)


class PsbtRefused(ChainError):
    """A file that is not used. `code` is for programs, the text for the person who brought it."""

    code = "psbt_refused"


class PsbtForeign(PsbtRefused):
    """Another transaction than the proposal's, or keys that have no part in this wallet."""

    code = "psbt_foreign"


class PsbtSignatureBad(PsbtRefused):
    """A signature that is not good for this transaction."""

    code = "psbt_signature_bad"


class PsbtUnsigned(PsbtRefused):
    """A good file without a signature."""

    code = "psbt_unsigned"


class PreviousMismatch(ChainError):
    """A coin's own transaction says something else of it than we do: the index or the node lies."""

    code = "previous_mismatch"


@dataclass(frozen=True, slots=True)
class Spending:
    """A proposal: what is spent, by which wallet's keys, and to where."""

    unsigned: UnsignedUtxo
    descriptor: Descriptor

    def leaf(self, path: str) -> Leaf:
        return self.descriptor.leaf(*descriptors.parse_path(path))

    def leaves(self) -> list[Leaf]:
        """The scripts and keys of each input. Raises MalformedData when a coin is not this wallet's."""
        found = []
        for coin in self.unsigned.inputs:
            leaf = self.leaf(coin.path)
            if leaf.script != coin.script:
                raise MalformedData(f"the coin {coin.outpoint} is not this wallet's at {coin.path}")
            found.append(leaf)
        return found

    def transaction(self) -> Transaction:
        """Without signatures and without scripts."""
        return self.unsigned.transaction(self.descriptor.parameters)

    def txid(self) -> str:
        """The id it will have: known before it is signed, since every form here is a segwit form."""
        return _with_script_sigs(self.transaction(), self.leaves()).txid


def make(spending: Spending, *, previous: Mapping[str, bytes], note: Mapping[str, str]) -> bytes:
    """The unsigned file. `previous` are the whole transactions that made the coins, by txid; so any wallet can check the fee.

    Raises PreviousMismatch when one of them does not hash to its id, or does not make the coin that we say it does.
    """
    file = files.empty(spending.transaction())
    for key in spending.descriptor.keys:
        account = bip32.parse(key.xpub)
        raw = account.serialize(spending.descriptor.parameters.xpub_prefix)
        file.top[bytes([files.XPUB]) + raw] = files.origin(key.fingerprint, key.origin)
    file.top[note_key()] = json.dumps(dict(note), sort_keys=True).encode()
    for entries, coin, leaf in zip(file.inputs, spending.unsigned.inputs, spending.leaves(), strict=True):
        whole = _previous(coin, previous)
        entries[files.NON_WITNESS_UTXO] = whole.serialize(witness=False)
        entries[files.WITNESS_UTXO] = whole.outputs[coin.vout].serialize()
        _describe_input(entries, leaf, taproot=spending.descriptor.form == "tr")
    for entries, output in zip(file.outputs, spending.unsigned.outputs, strict=True):
        if output.path.startswith("cold/"):
            _describe_output(entries, spending.leaf(output.path), taproot=spending.descriptor.form == "tr")
    return file.serialize()


def note_key() -> bytes:
    """Where our own note stands among the proprietary entries (BIP174)."""
    return bytes([files.PROPRIETARY]) + compact_size(len(OWNER)) + OWNER + compact_size(0)


def note(file: Psbt) -> dict[str, str]:
    """What we wrote beside the transaction when the file was made: a hint for people, proof of nothing."""
    try:
        body = json.loads(file.top.get(note_key(), b"{}"))
    except ValueError:
        return {}
    return {str(name): str(value) for name, value in body.items()} if isinstance(body, dict) else {}


def _previous(coin: Coin, previous: Mapping[str, bytes]) -> Transaction:
    raw = previous.get(coin.txid)
    if raw is None:
        raise PreviousMismatch(f"the transaction {coin.txid} is missing")
    whole = transaction.decode(raw)
    if whole.txid != coin.txid:
        raise PreviousMismatch(f"the node gave another transaction for {coin.txid}")
    if coin.vout >= len(whole.outputs):
        raise PreviousMismatch(f"the transaction {coin.txid} has no output {coin.vout}")
    output = whole.outputs[coin.vout]
    if (output.amount, output.script) != (coin.amount, coin.script):
        raise PreviousMismatch(f"the coin {coin.outpoint} has another amount or owner than our index says")
    return whole


def _describe_input(entries: files.Map, leaf: Leaf, *, taproot: bool) -> None:
    if taproot:
        key = leaf.keys[0]
        entries[files.TAP_INTERNAL_KEY] = key.public_key[1:]
        origin = b"\x00" + files.origin(key.fingerprint, key.path)
        entries[bytes([files.TAP_DERIVATION]) + key.public_key[1:]] = origin
        return
    # No entry for the kind of signature: without one it is over the whole, and Bitcoin Core's wallet refuses a file that says so.
    if leaf.redeem_script:
        entries[files.REDEEM_SCRIPT] = leaf.redeem_script
    if leaf.witness_script:
        entries[files.WITNESS_SCRIPT] = leaf.witness_script
    for key in leaf.keys:
        entries[bytes([files.DERIVATION]) + key.public_key] = files.origin(key.fingerprint, key.path)


def _describe_output(entries: files.Map, leaf: Leaf, *, taproot: bool) -> None:
    if taproot:
        key = leaf.keys[0]
        entries[files.OUT_TAP_INTERNAL_KEY] = key.public_key[1:]
        origin = b"\x00" + files.origin(key.fingerprint, key.path)
        entries[bytes([files.OUT_TAP_DERIVATION]) + key.public_key[1:]] = origin
        return
    if leaf.redeem_script:
        entries[files.OUT_REDEEM_SCRIPT] = leaf.redeem_script
    if leaf.witness_script:
        entries[files.OUT_WITNESS_SCRIPT] = leaf.witness_script
    for key in leaf.keys:
        entries[bytes([files.OUT_DERIVATION]) + key.public_key] = files.origin(key.fingerprint, key.path)


def signatures(data: bytes, spending: Spending) -> Signatures:
    """The good signatures of a file that came back: a PSBT, whole or in part, or a finished transaction; as bytes or text.

    Raises PsbtForeign, PsbtSignatureBad, PsbtUnsigned or MalformedData; then nothing of the file is used.
    """
    data = files.decode_text(data)
    leaves = spending.leaves()
    if data.startswith(files.MAGIC):
        found = _from_psbt(files.read(data), spending, leaves)
    else:
        try:
            signed = transaction.decode(data)
        except MalformedData:
            raise MalformedData("this is neither a PSBT nor a signed transaction") from None
        _same(signed, _with_script_sigs(spending.transaction(), leaves))
        found = {
            position: _from_witness(coin.witness, leaves[position], position, spending)
            for position, coin in enumerate(signed.inputs)
        }
    digests = sighash.Digests(spending.transaction(), spending.unsigned.inputs, leaves)
    for position, by_key in found.items():
        for public_key, signature in by_key.items():
            if not digests.good(position, public_key, signature):
                raise PsbtSignatureBad(
                    f"a signature of input {position + 1} is not good for this transaction; nothing of the file was used"
                )
    if not any(found.values()):
        raise PsbtUnsigned("there is no signature in this file: sign it first")
    return found


def _same(found: Transaction, wanted: Transaction) -> None:
    """Says where they differ, in the words of the person who has to find out why."""
    if found.serialize(witness=False) == wanted.serialize(witness=False):
        return
    if [coin.outpoint for coin in found.inputs] != [coin.outpoint for coin in wanted.inputs]:
        raise PsbtForeign("this file spends other coins than the proposal")
    if found.outputs != wanted.outputs:
        raise PsbtForeign("this file pays other amounts or addresses than the proposal")
    raise PsbtForeign("this file's transaction is not the proposal's: version, lock time, sequence or scripts differ")


def _from_psbt(file: Psbt, spending: Spending, leaves: list[Leaf]) -> Signatures:
    _same(file.unsigned, spending.transaction())
    found: Signatures = {}
    for position, (entries, coin, leaf) in enumerate(
        zip(file.inputs, spending.unsigned.inputs, leaves, strict=True), start=0
    ):
        _same_coin(entries, coin, leaf, position)
        by_key = {
            key[1:]: value for key, value in entries.items() if key[0] == files.PARTIAL_SIGNATURE and len(key) > 1
        }
        if files.TAP_SIGNATURE in entries:
            by_key[leaf.keys[0].public_key] = entries[files.TAP_SIGNATURE]
        if files.FINAL_WITNESS in entries:
            if entries.get(files.FINAL_SCRIPT_SIG, b"") != _script_sig(leaf):
                raise PsbtForeign(f"input {position + 1} is finished with another script than this wallet's")
            stack = files.witness(entries[files.FINAL_WITNESS])
            by_key |= _from_witness(stack, leaf, position, spending)
        for public_key in by_key:
            if public_key not in {key.public_key for key in leaf.keys}:
                raise PsbtForeign(f"input {position + 1} is signed by a key that has no part in this wallet")
        found[position] = by_key
    return found


def _same_coin(entries: files.Map, coin: Coin, leaf: Leaf, position: int) -> None:
    """A file may leave out what it says of a coin; what it says must be true."""
    told = entries.get(files.WITNESS_UTXO)
    if told is not None and files.output(told) != transaction.TxOutput(coin.amount, coin.script):
        raise PsbtForeign(f"the file lies about the coin of input {position + 1}: another amount or owner")
    whole = entries.get(files.NON_WITNESS_UTXO)
    if whole is not None and transaction.decode(whole).txid != coin.txid:
        raise PsbtForeign(f"the file brings another transaction for the coin of input {position + 1}")
    if entries.get(files.WITNESS_SCRIPT, leaf.witness_script) != leaf.witness_script:
        raise PsbtForeign(f"the file brings another script for the coin of input {position + 1}")
    if entries.get(files.SIGHASH, sighash.ALL.to_bytes(4, "little")) not in (bytes(4), b"\x01\0\0\0"):
        raise PsbtForeign(f"input {position + 1} asks for a signature over a part of the transaction only")


def _from_witness(stack: tuple[bytes, ...], leaf: Leaf, position: int, spending: Spending) -> dict[bytes, bytes]:
    """The signatures of a finished input, each with the key it is good for."""
    if not stack:
        return {}
    form = spending.descriptor.form
    if form == "tr" and len(stack) == 1:
        return {leaf.keys[0].public_key: stack[0]}
    if form in ("wpkh", "sh-wpkh") and len(stack) == 2 and stack[1] == leaf.keys[0].public_key:
        return {stack[1]: stack[0]}
    if spending.descriptor.multisig and stack[0] == b"" and stack[-1] == leaf.witness_script:
        digests = sighash.Digests(spending.transaction(), spending.unsigned.inputs, spending.leaves())
        found: dict[bytes, bytes] = {}
        for signature in stack[1:-1]:
            owner = next((k.public_key for k in leaf.keys if digests.good(position, k.public_key, signature)), None)
            if owner is None:
                raise PsbtSignatureBad(
                    f"a signature of input {position + 1} is not good for this transaction; nothing of the file was used"
                )
            found[owner] = signature
        return found
    raise PsbtForeign(f"input {position + 1} is finished with something else than this wallet's keys")


def combine(one: Signatures, other: Signatures) -> Signatures:
    """What both bring; where both bring one key's, the first stays."""
    return {position: other.get(position, {}) | one.get(position, {}) for position in sorted(one.keys() | other.keys())}


def with_signatures(data: bytes, spending: Spending, found: Signatures) -> bytes:
    """The file with these (verified) signatures in it."""
    file = files.read(data)
    for position, by_key in found.items():
        for public_key, signature in by_key.items():
            if spending.descriptor.form == "tr":
                file.inputs[position][files.TAP_SIGNATURE] = signature
            else:
                file.inputs[position][bytes([files.PARTIAL_SIGNATURE]) + public_key] = signature
    return file.serialize()


def signers(spending: Spending, found: Signatures) -> tuple[str, ...]:
    """The fingerprints of the master keys that have signed every input."""
    leaves = spending.leaves()
    return tuple(
        key.fingerprint.hex()
        for key in spending.descriptor.keys
        if all(
            any(each.fingerprint == key.fingerprint and each.path[: len(key.origin)] == key.origin
                and each.public_key in found.get(position, {}) for each in leaf.keys)
            for position, leaf in enumerate(leaves)
        )
    )  # fmt: skip


def missing(spending: Spending, found: Signatures) -> int:
    """How many signatures the input that has the fewest still needs."""
    least = min(len(found.get(position, {})) for position in range(len(spending.unsigned.inputs)))
    return max(0, spending.descriptor.threshold - least)


def finalise(spending: Spending, found: Signatures) -> bytes:
    """The finished transaction, put together from our own values. Raises PsbtUnsigned while signatures are missing."""
    if lacking := missing(spending, found):
        raise PsbtUnsigned(f"{lacking} more must sign")
    leaves = spending.leaves()
    bare = _with_script_sigs(spending.transaction(), leaves)
    witnesses: list[tuple[bytes, ...]] = []
    for position, leaf in enumerate(leaves):
        by_key = found[position]
        if not spending.descriptor.multisig:
            key = leaf.keys[0].public_key
            witnesses.append((by_key[key],) if spending.descriptor.form == "tr" else (by_key[key], key))
            continue
        # In the order of the script's keys, as OP_CHECKMULTISIG wants them, and no more than the threshold.
        chosen = [by_key[key.public_key] for key in leaf.keys if key.public_key in by_key]
        witnesses.append((b"", *chosen[: spending.descriptor.threshold], leaf.witness_script))
    return bare.with_witnesses(tuple(witnesses)).serialize()


def _script_sig(leaf: Leaf) -> bytes:
    return bytes([len(leaf.redeem_script)]) + leaf.redeem_script if leaf.redeem_script else b""


def _with_script_sigs(bare: Transaction, leaves: list[Leaf]) -> Transaction:
    inputs = tuple(replace(coin, script_sig=_script_sig(leaf)) for coin, leaf in zip(bare.inputs, leaves, strict=True))
    return replace(bare, inputs=inputs)
