"""Decodes signed bytes and holds them against what was asked: same inputs, same outputs, good signatures, nothing more.

Whoever broadcasts calls this first, so that a signer that went wrong is noticed before the chain notices.
What must never happen here: a byte that is not accounted for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import coincurve

from wallets.chains.bip32 import hash160
from wallets.chains.protocol import ChainError, SignedMismatch, SignedView
from wallets.chains.utxo import payout, transaction
from wallets.chains.utxo.parameters import Parameters
from wallets.chains.utxo.script import p2wpkh

_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


def signed(raw: bytes, unsigned: Mapping[str, Any], parameters: Parameters) -> SignedView:
    """What the bytes do. Raises SignedMismatch unless they do exactly what `unsigned` says."""
    try:
        wanted = payout.from_json(unsigned)
        expected = wanted.transaction(parameters)
        found = transaction.decode(raw)
    except ChainError as error:
        raise SignedMismatch(f"cannot be compared: {error}") from None
    if wanted.network != parameters.name:
        raise SignedMismatch(f"made for {wanted.network}, not for {parameters.name}")
    if found.serialize(witness=False) != expected.serialize(witness=False):
        raise SignedMismatch("inputs or outputs are not those that were asked for")
    if found.serialize() != raw:
        raise SignedMismatch("the bytes are not in their canonical form")
    for position, coin in enumerate(wanted.inputs):
        _check_witness(found, position, coin)
    return SignedView(found.txid, wanted.fee, found.vsize, tuple(coin.outpoint for coin in wanted.inputs))


def _check_witness(found: transaction.Transaction, position: int, coin: payout.Coin) -> None:
    witness = found.inputs[position].witness
    if len(witness) != 2 or not witness[0] or witness[0][-1] != transaction.SIGHASH_ALL:
        raise SignedMismatch(f"input {position} is not signed for the whole transaction")
    signature, key = witness[0][:-1], witness[1]
    key_hash = hash160(key)
    if len(key) != 33 or p2wpkh(key_hash) != coin.script:
        raise SignedMismatch(f"input {position} is signed by a key that does not own the coin")
    digest = found.digest(position, key_hash=key_hash, amount=coin.amount)
    try:
        good = coincurve.PublicKey(key).verify(signature, digest, hasher=None)
    except (ValueError, TypeError):
        good = False
    if not good or not _low_s(signature):
        raise SignedMismatch(f"the signature of input {position} is not good")


def _low_s(der: bytes) -> bool:
    # BIP62's rule 5: nodes do not relay the other half, and either half would give the transaction another wtxid.
    r_length = der[3]
    s = int.from_bytes(der[4 + r_length + 2 :], "big")
    return 0 < s <= _HALF_ORDER
