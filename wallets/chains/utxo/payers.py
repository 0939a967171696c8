"""Who paid: the keys and scripts that a transaction's inputs show when they are spent.

An input names only the output that it spends; but to spend it, it has to show the public key or the script that the output's
address was made of. A Taproot output that is spent by its key alone shows neither, so of that payer nothing is known here.

A payer is text that is the same on every network of the family: "key:" and the hash of a public key, "script:" and the hash
of a script, "witness:0:" and the hash of a witness script. What must never happen here: an exception for what a stranger put
into an input.
"""

from __future__ import annotations

from hashlib import sha256

from wallets.chains.bip32 import hash160
from wallets.chains.protocol import MalformedData
from wallets.chains.utxo.transaction import TxInput, decode

_PUSH_MAX, _PUSHDATA1, _PUSHDATA2 = 75, 76, 77


def of(raw: bytes) -> tuple[str, ...]:
    """The payers of one transaction; none for what cannot be read."""
    try:
        inputs = decode(raw).inputs
    except MalformedData:
        return ()
    return tuple(dict.fromkeys(payer for coin in inputs for payer in _shown(coin)))


def _shown(coin: TxInput) -> list[str]:
    pushed = _last_push(coin.script_sig)
    if not pushed:
        return _witness(coin.witness)
    if _public_key(pushed):
        return [f"key:{hash160(pushed).hex()}"]
    shown = [f"script:{hash160(pushed).hex()}"]
    if len(pushed) in (22, 34) and pushed[:2] in (b"\x00\x14", b"\x00\x20"):
        shown.append(f"{'key' if len(pushed) == 22 else 'witness:0'}:{pushed[2:].hex()}")
    return shown


def _witness(items: tuple[bytes, ...]) -> list[str]:
    if len(items) == 2 and len(items[1]) == 33 and _public_key(items[1]):
        return [f"key:{hash160(items[1]).hex()}"]
    return [f"witness:0:{sha256(items[-1]).hexdigest()}"] if len(items) > 1 else []


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
