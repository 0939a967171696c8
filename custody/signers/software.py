"""The software signer: keys derived from a seed in memory. It builds the bytes itself from the checked values and signs those.

Signatures are deterministic (RFC 6979), so that the same job always gives the same bytes, after a crash as well.
What must never happen here: a signature for a key that is not at the path the caller named, or over somebody else's bytes.
"""

from __future__ import annotations

import hashlib

import coincurve
from coincurve._libsecp256k1 import ffi

from custody.signers.derivation import ExtendedPrivateKey
from wallets.chains.bip32 import ExtendedPublicKey, hash160
from wallets.chains.evm import address as evm_address
from wallets.chains.evm import payout as evm_payout
from wallets.chains.protocol import ChainError
from wallets.chains.utxo import payout as utxo_payout
from wallets.chains.utxo.parameters import Parameters
from wallets.chains.utxo.script import p2wpkh
from wallets.chains.utxo.transaction import SIGHASH_ALL

_GRIND_MAX = 1_000


class NotOurKey(ChainError):
    """The key at the path does not own what is to be spent."""

    code = "not_our_key"


class SoftwareSigner:
    """Holds the master key of one seed."""

    def __init__(self, seed: bytes) -> None:
        self._master = ExtendedPrivateKey.from_seed(seed)

    @property
    def fingerprint(self) -> str:
        """The master key's fingerprint, eight hex digits: names the seed without telling anything of it."""
        return self._master.public().fingerprint.hex()

    def account(self, path: str) -> ExtendedPublicKey:
        """The extended public key at an account's path. Raises PathInvalid."""
        return self._master.descend(path).public()

    def script(self, path: str) -> bytes:
        """The P2WPKH script of our key at a path. Raises PathInvalid."""
        return p2wpkh(hash160(self._master.descend(path).public_key))

    def evm_address(self, path: str) -> str:
        """The checksummed address of our key at a path. Raises PathInvalid."""
        return evm_address.checksummed(evm_address.of_public_key(self._master.descend(path).public_key))

    def log_key(self) -> bytes:
        """A key for sealing the velocity log: bound to the seed, useless for anything else."""
        return hashlib.sha256(b"bourse velocity log" + self._master.descend("m/1000'").secret).digest()

    def ceremony_key(self) -> bytes:
        """The secret key that signs the log of ceremonies, and nothing else."""
        return self._master.descend("m/1001'").secret

    def sign_utxo(self, unsigned: utxo_payout.UnsignedUtxo, parameters: Parameters) -> bytes:
        """The signed bytes. Raises NotOurKey when an input's script is not that of our key at its path."""
        transaction = unsigned.transaction(parameters)
        witnesses = []
        for position, coin in enumerate(unsigned.inputs):
            key = self._master.descend(coin.path)
            key_hash = hash160(key.public_key)
            if p2wpkh(key_hash) != coin.script:
                raise NotOurKey(f"the coin {coin.outpoint} does not belong to our key at {coin.path}")
            digest = transaction.digest(position, key_hash=key_hash, amount=coin.amount)
            witnesses.append((low_r_signature(key.secret, digest) + bytes([SIGHASH_ALL]), key.public_key))
        return transaction.with_witnesses(tuple(witnesses)).serialize()

    def sign_evm(self, unsigned: evm_payout.UnsignedEvm) -> bytes:
        """The signed bytes. Raises NotOurKey when the sender is not our key at its path."""
        if self.evm_address(unsigned.from_path) != unsigned.from_address:
            raise NotOurKey(f"{unsigned.from_address} is not our key at {unsigned.from_path}")
        secret = coincurve.PrivateKey(self._master.descend(unsigned.from_path).secret)
        signature = secret.sign_recoverable(unsigned.transaction.digest(), hasher=None)
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
        return unsigned.transaction.serialize(y_parity=signature[64], r=r, s=s)


def low_r_signature(secret: bytes, digest: bytes) -> bytes:
    """A DER signature of at most 70 bytes: RFC 6979's nonce, then with a counter as extra entropy, as Bitcoin Core does.

    A high R would make the transaction a byte longer than its fee was reckoned for.
    """
    key = coincurve.PrivateKey(secret)
    signature = key.sign(digest, hasher=None)
    for counter in range(1, _GRIND_MAX):
        if len(signature) <= 70:
            break
        extra = ffi.new("unsigned char[32]", counter.to_bytes(32, "little"))
        signature = key.sign(digest, hasher=None, custom_nonce=(ffi.NULL, extra))
    return signature
