"""What a key signs, and whether it did: BIP143 for segwit's first version, BIP341's key path for taproot.

What must never happen here: a signature over a part of the transaction taken for one over the whole, or one of two spellings
of a signature accepted beside the other (whoever carries the file could change the bytes that are broadcast).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from hashlib import sha256

import coincurve

from wallets.chains.bip32 import hash160
from wallets.chains.utxo.descriptors import Leaf, tagged_hash, taproot_output
from wallets.chains.utxo.payout import Coin
from wallets.chains.utxo.transaction import Transaction, compact_size, hash256

DEFAULT, ALL = 0, 1


class Digests:
    """The digests of one transaction's inputs, whose coins and scripts are known."""

    def __init__(self, transaction: Transaction, coins: Sequence[Coin], leaves: Sequence[Leaf]) -> None:
        self.transaction = transaction
        self.coins = coins
        self.leaves = leaves

    def good(self, position: int, public_key: bytes, signature: bytes) -> bool:
        """Whether this is the key's signature over the whole transaction, in its one spelling."""
        if self.leaves[position].script[0] == 0x51:
            return self._good_schnorr(position, public_key, signature)
        return self._good_ecdsa(position, public_key, signature)

    def _good_ecdsa(self, position: int, public_key: bytes, signature: bytes) -> bool:
        if len(signature) < 9 or signature[-1] != ALL:
            return False
        try:
            # The library takes strict DER and the lower half of s, and nothing else: one spelling of a signature.
            return coincurve.PublicKey(public_key).verify(signature[:-1], self.bip143(position), hasher=None)
        except (ValueError, TypeError):
            return False

    def _good_schnorr(self, position: int, public_key: bytes, signature: bytes) -> bool:
        if len(signature) == 65 and signature[64] == ALL:
            kind = ALL
        elif len(signature) == 64:
            kind = DEFAULT
        else:
            return False
        try:
            key = coincurve.PublicKeyXOnly(taproot_output(public_key[1:]))
            return key.verify(signature[:64], self.bip341(position, kind))
        except (ValueError, TypeError):
            return False

    def bip143(self, position: int) -> bytes:
        """What input `position` signs with SIGHASH_ALL."""
        coin, leaf, whole = self.coins[position], self.leaves[position], self.transaction
        each = whole.inputs[position]
        if leaf.witness_script:
            code = compact_size(len(leaf.witness_script)) + leaf.witness_script
        else:
            code = b"\x19\x76\xa9\x14" + hash160(leaf.keys[0].public_key) + b"\x88\xac"
        return hash256(
            struct.pack("<i", whole.version)
            + hash256(b"".join(one.prevout() for one in whole.inputs))
            + hash256(b"".join(struct.pack("<I", one.sequence) for one in whole.inputs))
            + each.prevout()
            + code
            + struct.pack("<qI", coin.amount, each.sequence)
            + hash256(b"".join(one.serialize() for one in whole.outputs))
            + struct.pack("<II", whole.locktime, ALL)
        )

    def bip341(self, position: int, kind: int) -> bytes:
        """What input `position` signs by its key path, without an annex."""
        whole = self.transaction
        scripts = b"".join(compact_size(len(coin.script)) + coin.script for coin in self.coins)
        message = (
            bytes([0, kind])
            + struct.pack("<iI", whole.version, whole.locktime)
            + sha256(b"".join(one.prevout() for one in whole.inputs)).digest()
            + sha256(b"".join(struct.pack("<q", coin.amount) for coin in self.coins)).digest()
            + sha256(scripts).digest()
            + sha256(b"".join(struct.pack("<I", one.sequence) for one in whole.inputs)).digest()
            + sha256(b"".join(one.serialize() for one in whole.outputs)).digest()
            + b"\x00"
            + struct.pack("<I", position)
        )
        return tagged_hash("TapSighash", message)
