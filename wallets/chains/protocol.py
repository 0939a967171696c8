"""What every chain family gives to the house: one Protocol, frozen values, typed errors.

The rooms above see coins only through these names, so adding a family changes nothing above. What must never happen here:
a float, an amount without its base unit, or an error that escapes as something else than a ChainError.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol


class ChainError(Exception):
    """Base of everything a chain module raises. `code` is for programs, the text for people."""

    code: ClassVar[str] = "chain_error"


class NodeUnavailable(ChainError):
    """No answer: down, slow, warming up. What was asked may have been done; ask for the state before repeating a send."""

    code = "node_unavailable"


class RateLimited(NodeUnavailable):
    """The service wants fewer questions. What was asked was not done."""

    code = "rate_limited"


class DataPruned(NodeUnavailable):
    """The node knows the block and has thrown its contents away."""

    code = "data_pruned"


class NodeRefused(ChainError):
    """The node answered with an error of its own."""

    code = "node_refused"

    def __init__(self, message: str, *, node_code: int = 0) -> None:
        super().__init__(message)
        self.node_code = node_code
        self.node_message = message


class BroadcastRefused(NodeRefused):
    """The node will not take these bytes, and does not have them either."""

    code = "broadcast_refused"


class WrongChain(ChainError):
    """The node serves another chain than the one that is configured: nothing it says may be believed."""

    code = "wrong_chain"


class BlockNotFound(ChainError):
    """There is no block at that height (yet), or it vanished in a reorganisation while we asked."""

    code = "block_not_found"


class MalformedData(ChainError):
    """Bytes or JSON that are not what they claim to be."""

    code = "malformed_data"


class AddressInvalid(ChainError):
    """Not an address of this network. `code` tells a typing error from an address of another network."""

    code = "address_invalid"


class AddressWrongNetwork(AddressInvalid):
    """A good address, but of another network of the same family (testnet, Litecoin for Bitcoin)."""

    code = "address_wrong_network"


class FeeUnknown(ChainError):
    """The node has no estimate and this network has no fallback."""

    code = "fee_unknown"


class PayoutImpossible(ChainError):
    """A payout that cannot be built as asked."""

    code = "payout_impossible"


class InsufficientCoins(PayoutImpossible):
    """The coins offered do not cover payments and fee."""

    code = "insufficient_coins"


class DustOutput(PayoutImpossible):
    """An output so small that nodes refuse to relay it."""

    code = "dust_output"


class SignedMismatch(ChainError):
    """Signed bytes that do something else than what was asked, or whose signature is not good."""

    code = "signed_mismatch"


@dataclass(frozen=True, slots=True)
class BlockRef:
    """A block's place. `time` in seconds since 1970, as the block itself claims."""

    height: int
    hash: str
    parent: str
    time: int


@dataclass(frozen=True, slots=True)
class Address:
    """`text` is canonical; `key` is what a block's credits are matched by: a script (utxo) or 20 bytes (evm)."""

    text: str
    key: bytes


@dataclass(frozen=True, slots=True)
class Credit:
    """Something that pays `key`. Its identity is (txid, slot); `contract` is "" for the chain's own coin.

    `maturity` is the number of confirmations before the chain lets it be spent at all (0: at once). `spends` is what its
    transaction uses up, where that was read along (a block's outputs, utxo): were that used up otherwise, it could never be.
    `payers` are those who paid, as far as the block shows them, by the keys that their addresses stand for ("evm:", "key:",
    "script:" or "witness:0:", and hexadecimal digits): the same on every network that one key opens. `unshown` are the outpoints
    it uses up of which the block does not show whose they were (utxo).
    """

    txid: str
    slot: str
    key: bytes
    amount: int
    contract: str = ""
    maturity: int = 0
    spends: tuple[str, ...] = ()
    payers: tuple[str, ...] = ()
    unshown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spend:
    """`txid` uses up `spent`: an outpoint "txid:vout" (utxo) or a nonce "0xSender:nonce" (evm)."""

    txid: str
    spent: str


@dataclass(frozen=True, slots=True)
class PendingTransaction:
    """Seen by the node, in no block. Never a reason to credit anybody."""

    txid: str
    credits: tuple[Credit, ...]
    spends: tuple[str, ...]
    replaceable: bool


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Where a transaction of ours stands.

    `fee` (base units of the coin) and `final` are known for evm only; `succeeded` is False when it was mined, but reverted.
    """

    state: Literal["unknown", "mempool", "mined"]
    confirmations: int = 0
    height: int | None = None
    block_hash: str = ""
    succeeded: bool = True
    fee: int | None = None
    final: bool | None = None


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the node itself says some keys hold, at a height."""

    amount: int
    height: int


@dataclass(frozen=True, slots=True)
class SignedView:
    """Signed bytes that were decoded and found to do exactly what was asked.

    `fee` is exact for utxo and the most that can be paid for evm. `spends` are the keys that no second transaction can use.
    """

    txid: str
    fee: int
    vsize: int
    spends: tuple[str, ...]


class Block(Protocol):
    """One block, whole. Matching costs by the size of the block, never by the number of keys that are watched."""

    @property
    def ref(self) -> BlockRef: ...

    def destinations(self) -> set[bytes]: ...

    def credits(self, to: Container[bytes]) -> list[Credit]: ...

    def spent(self) -> set[str]: ...

    def spends(self, of: Container[str]) -> list[Spend]: ...


class Mempool(Protocol):
    """What waited for a block when it was read."""

    def destinations(self) -> set[bytes]: ...

    def transactions(self, to: Container[bytes]) -> list[PendingTransaction]: ...

    def spender(self, spend_key: str) -> str | None: ...


class Rules(Protocol):
    """The offline half of a chain: what is true without asking a node."""

    def parse(self, address: str) -> Address: ...

    def address(self, key: bytes) -> str: ...

    def derive(self, xpub: str, *, index: int, change: int = 0) -> Address: ...

    def verify_signed(self, raw: bytes, unsigned: Mapping[str, Any]) -> SignedView: ...


class Chain(Protocol):
    """One node of one network. Every method raises ChainError and nothing else."""

    @property
    def name(self) -> str: ...

    @property
    def rules(self) -> Rules: ...

    def check(self) -> None: ...

    def tip(self) -> BlockRef: ...

    def finalized(self) -> int | None: ...

    def block_ref(self, height: int) -> BlockRef: ...

    def block(self, height: int) -> Block: ...

    def mempool(self) -> Mempool: ...

    def broadcast(self, raw: bytes) -> str: ...

    def confirmation(self, txid: str, *, block_hash: str = "") -> Confirmation: ...

    def holdings(self, keys: Iterable[bytes], *, contract: str = "") -> Holdings: ...


def integer(value: object, name: str, *, maximum: int = 2**256 - 1) -> int:
    """A whole number of base units out of JSON: an int or its decimal text, 0 ≤ n ≤ maximum. Raises MalformedData."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise MalformedData(f"{name} is not a whole number")
    if isinstance(value, str) and not (value.isascii() and value.isdecimal() and len(value) <= 78):
        raise MalformedData(f"{name} is not a whole number")
    number = int(value)
    if not 0 <= number <= maximum:
        raise MalformedData(f"{name} is out of range")
    return number


def text(value: object, name: str, *, maximum: int = 200) -> str:
    """A short string out of JSON. Raises MalformedData."""
    if not isinstance(value, str) or len(value) > maximum:
        raise MalformedData(f"{name} is not a short text")
    return value


def hexadecimal(value: object, name: str, *, maximum: int = 100_000) -> bytes:
    """Bytes out of hex text, with or without 0x. Raises MalformedData."""
    body = text(value, name, maximum=2 * maximum + 2).removeprefix("0x")
    try:
        return bytes.fromhex(body)
    except ValueError:
        raise MalformedData(f"{name} is not hexadecimal") from None
