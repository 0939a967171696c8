"""The offline half of a UTXO chain: addresses, derivation, and the check of signed bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wallets.chains import bip32
from wallets.chains.protocol import Address, SignedView
from wallets.chains.utxo import payout, script, verify
from wallets.chains.utxo.parameters import Parameters


@dataclass(frozen=True, slots=True)
class UtxoRules:
    """One network's rules. Holds no secret and asks no node."""

    parameters: Parameters

    def parse(self, address: str) -> Address:
        """The canonical address and its script. Raises AddressInvalid or AddressWrongNetwork."""
        return script.parse(address, self.parameters)

    def address(self, key: bytes) -> str:
        """The address of a script, "" when it has none."""
        return script.address(key, self.parameters)

    def derive(self, xpub: str, *, index: int, change: int = 0) -> Address:
        """The P2WPKH address at change/index below an account's extended public key (BIP84)."""
        key = bip32.branch(xpub, change).child(index).key
        return self.parse_key(script.p2wpkh(bip32.hash160(key)))

    def parse_key(self, key: bytes) -> Address:
        """An address by its script."""
        return Address(script.address(key, self.parameters), key)

    def dust(self, address: str) -> int:
        """The smallest amount, in base units, that nodes relay to this address."""
        return script.dust(self.parse(address).key, self.parameters)

    def payout(
        self,
        *,
        coins: Sequence[payout.Coin],
        payments: Sequence[payout.Payment],
        change: payout.Change,
        fee_rate: int,
        seed: int = 0,
        fee_max: int | None = None,
    ) -> payout.UnsignedUtxo:
        """See `payout.build`."""
        return payout.build(
            parameters=self.parameters,
            coins=coins,
            payments=payments,
            change=change,
            fee_rate=fee_rate,
            seed=seed,
            fee_max=fee_max,
        )

    def verify_signed(self, raw: bytes, unsigned: Mapping[str, Any]) -> SignedView:
        """What signed bytes do. Raises SignedMismatch unless that is exactly what `unsigned` says."""
        return verify.signed(raw, unsigned, self.parameters)
