"""Who paid: the keys and scripts that a transaction's inputs show when they are spent.

An input names only the output that it spends; but to spend it, it has to show the public key or the script that the output's
address was made of. A Taproot output, a bare key and what is written in an unusual way show neither: of those the output that
was spent has to be asked for (`unshown`, `of_script`).

A payer is text that is the same on every network of the family: "key:" and the hash of a public key, "script:" and the hash
of a script, "witness:0:" and the hash of a witness script, "witness:1:" and a Taproot output's key. What must never happen
here: an exception for what a stranger put into an input, or an input that is passed over in silence.
"""

from __future__ import annotations

from hashlib import sha256

from wallets.chains.bip32 import hash160
from wallets.chains.protocol import MalformedData
from wallets.chains.utxo.script import kind, witness_program
from wallets.chains.utxo.transaction import TxInput, decode

_PUSH_MAX, _PUSHDATA1, _PUSHDATA2 = 75, 76, 77
_OP_CHECKSIG = 0xAC
_NOTHING_SPENT = "00" * 32  # what a coinbase's input names


def of(raw: bytes) -> tuple[str, ...]:
    """The payers of one transaction; none for what cannot be read."""
    try:
        inputs = decode(raw).inputs
    except MalformedData:
        return ()
    return tuple(dict.fromkeys(payer for coin in inputs for payer in _shown(coin)))


def unshown(raw: bytes) -> tuple[str, ...]:
    """The outpoints of those inputs that show nobody; none for what cannot be read."""
    try:
        inputs = decode(raw).inputs
    except MalformedData:
        return ()
    return tuple(coin.outpoint for coin in inputs if coin.txid != _NOTHING_SPENT and not _shown(coin))


def of_script(script: bytes) -> str:
    """Whom an output pays; "" for one that pays nobody who could be known by it."""
    program = witness_program(script)
    if program is not None:
        version, body = program
        return f"key:{body.hex()}" if version == 0 and len(body) == 20 else f"witness:{version}:{body.hex()}"
    if kind(script) == "p2pkh":
        return f"key:{script[3:23].hex()}"
    if kind(script) == "p2sh":
        return f"script:{script[2:22].hex()}"
    bare = script[1:-1]
    if script[-1:] == bytes([_OP_CHECKSIG]) and script[0] == len(bare) and _public_key(bare):
        return f"key:{hash160(bare).hex()}"
    return ""


def _shown(coin: TxInput) -> list[str]:
    if not coin.script_sig:
        return _witness(coin.witness)
    pushed = _last_push(coin.script_sig)
    if not pushed or _signature(pushed):
        return []
    if _public_key(pushed):
        return [f"key:{hash160(pushed).hex()}"]
    shown = [f"script:{hash160(pushed).hex()}"]
    if len(pushed) in (22, 34) and pushed[:2] in (b"\x00\x14", b"\x00\x20"):
        shown.append(f"{'key' if len(pushed) == 22 else 'witness:0'}:{pushed[2:].hex()}")
    return shown


def _witness(items: tuple[bytes, ...]) -> list[str]:
    if len(items) == 2 and len(items[1]) == 33 and _public_key(items[1]):
        return [f"key:{hash160(items[1]).hex()}"]
    if len(items) < 2 or _taproot(items):
        return []
    return [f"witness:0:{sha256(items[-1]).hexdigest()}"]


def _taproot(items: tuple[bytes, ...]) -> bool:
    """Whether the witness ends in an annex or a control block (BIP341): a witness script never begins with these bytes."""
    last = items[-1]
    return last[:1] == b"\x50" or (len(last) >= 33 and len(last) % 32 == 1 and last[0] >= 0xC0)


def _signature(data: bytes) -> bool:
    """A bare key's input ends in its signature (DER), and shows no key."""
    return 8 <= len(data) <= 73 and data[0] == 0x30 and data[1] == len(data) - 3


def _public_key(data: bytes) -> bool:
    return (len(data) == 33 and data[0] in (2, 3)) or (len(data) == 65 and data[0] == 4)


def _last_push(script: bytes) -> bytes:
    """What a script of pushes alone puts on top of the stack; nothing where it is no such script."""
    at, last = 0, b""
    while at < len(script):
        length, at = script[at], at + 1
        if length == _PUSHDATA1:
            length, at = int.from_bytes(script[at : at + 1], "little"), at + 1
        elif length == _PUSHDATA2:
            length, at = int.from_bytes(script[at : at + 2], "little"), at + 2
        elif length > _PUSH_MAX:
            last = b""
            continue
        if at + length > len(script):
            return b""
        last, at = script[at : at + length], at + length
    return last
