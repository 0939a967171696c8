"""The offline half of an EVM chain: addresses, derivation, and the check of signed bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wallets.chains import bip32
from wallets.chains.evm import address as addresses
from wallets.chains.evm import payout, transaction
from wallets.chains.protocol import Address, ChainError, SignedMismatch, SignedView


@dataclass(frozen=True, slots=True)
class EvmRules:
    """One chain's rules. Holds no secret and asks no node."""

    name: str
    chain_id: int

    def parse(self, address: str) -> Address:
        """The checksummed address and its 20 bytes. Raises AddressInvalid."""
        return addresses.parse(address)

    def address(self, key: bytes) -> str:
        """The checksummed address of 20 bytes."""
        return addresses.checksummed(key)

    def derive(self, xpub: str, *, index: int, change: int = 0) -> Address:
        """The address at change/index below an account's extended public key (BIP44)."""
        key = addresses.of_public_key(bip32.branch(xpub, change).child(index).key)
        return Address(addresses.checksummed(key), key)

    def payout(
        self,
        *,
        from_address: str,
        from_path: str,
        nonce: int,
        payment: payout.Payment,
        fees: payout.Fees,
        gas_limit: int,
        empties: bool = False,
    ) -> payout.UnsignedEvm:
        """See `payout.build`."""
        return payout.build(
            network=self.name,
            chain_id=self.chain_id,
            from_address=from_address,
            from_path=from_path,
            nonce=nonce,
            payment=payment,
            fees=fees,
            gas_limit=gas_limit,
            empties=empties,
        )

    def verify_signed(self, raw: bytes, unsigned: Mapping[str, Any]) -> SignedView:
        """What signed bytes do. Raises SignedMismatch unless that is exactly what `unsigned` says."""
        try:
            wanted = payout.from_json(unsigned)
            found = transaction.decode(raw)
        except ChainError as error:
            raise SignedMismatch(f"cannot be compared: {error}") from None
        if wanted.network != self.name or wanted.transaction.chain_id != self.chain_id:
            raise SignedMismatch(f"made for another chain than {self.name} {self.chain_id}")
        if found.transaction != wanted.transaction:
            raise SignedMismatch("the fields are not those that were asked for")
        if addresses.checksummed(found.sender) != wanted.from_address:
            raise SignedMismatch("signed by a key that does not own the sending address")
        return SignedView(found.txid, wanted.fee_max, len(raw), (wanted.spend_key,))
