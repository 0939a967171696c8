"""The two transactions that we send: EIP-1559 and, where a chain wants a plain gas price, EIP-155. Bytes, digest, signer.

What must never happen here: a transaction of another type or chain taken for ours, one without a chain id (it would be good on
every chain), bytes left over, or a high-s signature accepted (EIP-2), which would give the same payment a second hash.
"""

from __future__ import annotations

from dataclasses import dataclass

import coincurve
from eth_hash.auto import keccak

from wallets.chains.evm import rlp
from wallets.chains.evm.address import of_public_key
from wallets.chains.protocol import MalformedData

TYPE = b"\x02"
SIZE_MAX = 131_072  # bytes; what nodes relay (geth's txMaxSize)
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


@dataclass(frozen=True, slots=True)
class DynamicFeeTransaction:
    """The signed fields of EIP-1559 without an access list. `to` has 20 bytes; amounts in wei."""

    chain_id: int
    nonce: int
    max_priority_fee_per_gas: int
    max_fee_per_gas: int
    gas_limit: int
    to: bytes
    value: int
    data: bytes = b""

    def digest(self) -> bytes:
        """What the sender signs."""
        return keccak(TYPE + rlp.encode(self._fields()))

    def serialize(self, *, y_parity: int, r: int, s: int) -> bytes:
        """The bytes as they are broadcast."""
        signature: list[rlp.Item] = [rlp.integer(y_parity), rlp.integer(r), rlp.integer(s)]
        return TYPE + rlp.encode(self._fields() + signature)

    @property
    def fee_max(self) -> int:
        """The most this transaction can cost in wei, apart from its value."""
        return self.gas_limit * self.max_fee_per_gas

    def _fields(self) -> list[rlp.Item]:
        numbers = (self.chain_id, self.nonce, self.max_priority_fee_per_gas, self.max_fee_per_gas, self.gas_limit)
        return [*map(rlp.integer, numbers), self.to, rlp.integer(self.value), self.data, []]


@dataclass(frozen=True, slots=True)
class LegacyTransaction:
    """A transaction with one gas price, bound to its chain by EIP-155. `to` has 20 bytes; amounts in wei."""

    chain_id: int
    nonce: int
    gas_price: int
    gas_limit: int
    to: bytes
    value: int
    data: bytes = b""

    def digest(self) -> bytes:
        """What the sender signs: the chain id stands where the signature will."""
        return keccak(rlp.encode([*self._fields(), rlp.integer(self.chain_id), b"", b""]))

    def serialize(self, *, y_parity: int, r: int, s: int) -> bytes:
        """The bytes as they are broadcast."""
        signature = (self.chain_id * 2 + 35 + y_parity, r, s)
        return rlp.encode([*self._fields(), *map(rlp.integer, signature)])

    @property
    def fee_max(self) -> int:
        """What this transaction can cost in wei at most, apart from its value."""
        return self.gas_limit * self.gas_price

    @property
    def max_fee_per_gas(self) -> int:
        return self.gas_price

    @property
    def max_priority_fee_per_gas(self) -> int:
        return self.gas_price

    def _fields(self) -> list[rlp.Item]:
        numbers = (self.nonce, self.gas_price, self.gas_limit)
        return [*map(rlp.integer, numbers), self.to, rlp.integer(self.value), self.data]


Transaction = DynamicFeeTransaction | LegacyTransaction


@dataclass(frozen=True, slots=True)
class Signed:
    """Signed bytes, decoded: what they do, who sends them (20 bytes), and their hash."""

    transaction: Transaction
    sender: bytes
    txid: str


def txid(raw: bytes) -> str:
    """The hash that names signed bytes, 0x and lower case."""
    return "0x" + keccak(raw).hex()


def decode(raw: bytes) -> Signed:
    """Exactly one signed transaction of one of the two types. Raises MalformedData."""
    if len(raw) > SIZE_MAX:
        raise MalformedData("a transaction is too large")
    if raw[:1] == TYPE:
        return _decode_dynamic(raw)
    if raw and raw[0] >= 0xC0:
        return _decode_legacy(raw)
    raise MalformedData("neither an EIP-1559 nor an EIP-155 transaction")


def _decode_dynamic(raw: bytes) -> Signed:
    items = rlp.decode(raw[1:])
    if not isinstance(items, list) or len(items) != 12:
        raise MalformedData("an EIP-1559 transaction has twelve parts")
    chain_id, nonce, priority, max_fee, gas_limit, value, y_parity, r, s = (
        _number(items[at]) for at in (0, 1, 2, 3, 4, 6, 9, 10, 11)
    )
    to, data = _call(items[5], items[7])
    if items[8] != []:
        raise MalformedData("an access list is not ours")
    transaction = DynamicFeeTransaction(chain_id, nonce, priority, max_fee, gas_limit, to, value, data)
    return Signed(transaction, _recover(transaction.digest(), y_parity, r, s), txid(raw))


def _decode_legacy(raw: bytes) -> Signed:
    items = rlp.decode(raw)
    if not isinstance(items, list) or len(items) != 9:
        raise MalformedData("a transaction of the first type has nine parts")
    nonce, gas_price, gas_limit, value, v, r, s = (_number(items[at]) for at in (0, 1, 2, 4, 6, 7, 8))
    to, data = _call(items[3], items[5])
    chain_id, y_parity = divmod(v - 35, 2)
    if chain_id <= 0:
        raise MalformedData("the transaction is not bound to a chain (EIP-155)")
    transaction = LegacyTransaction(chain_id, nonce, gas_price, gas_limit, to, value, data)
    return Signed(transaction, _recover(transaction.digest(), y_parity, r, s), txid(raw))


def _call(to: rlp.Item, data: rlp.Item) -> tuple[bytes, bytes]:
    if not isinstance(to, bytes) or len(to) != 20 or not isinstance(data, bytes):
        raise MalformedData("a payment goes to 20 bytes and carries plain data")
    return to, data


def _number(item: rlp.Item) -> int:
    if not isinstance(item, bytes) or len(item) > 32 or item[:1] == b"\0":
        raise MalformedData("a number is not written in its shortest form")
    return int.from_bytes(item, "big")


def _recover(digest: bytes, y_parity: int, r: int, s: int) -> bytes:
    if y_parity > 1 or not r or not 0 < s <= _HALF_ORDER:
        raise MalformedData("the signature is not in its canonical form")
    compact = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([y_parity])
    try:
        key = coincurve.PublicKey.from_signature_and_message(compact, digest, hasher=None)
    except Exception:
        # coincurve raises a bare Exception for a signature that recovers to no key.
        raise MalformedData("the signature belongs to no key") from None
    return of_public_key(key.format())
