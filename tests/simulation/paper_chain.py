"""A UTXO chain in memory that branches, forgets and stops answering as a seed decides. It knows nothing of the scanner.

It stands in for the network, not for our code: blocks, branches and outages in numbers and orders that no real node gives
in seconds. What must never happen here: a fact about our own books.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from itertools import count
from random import Random

from wallets.chains.pieces import Pieces
from wallets.chains.protocol import (
    BlockNotFound,
    BlockRef,
    Confirmation,
    Credit,
    NodeUnavailable,
    PendingTransaction,
    Spend,
)
from wallets.chains.utxo.transaction import compact_size


@dataclass(frozen=True)
class Payment:
    """A transaction that pays one of our scripts, from outside."""

    txid: str
    key: bytes
    amount: int

    @property
    def credit(self) -> Credit:
        return Credit(self.txid, "0", self.key, self.amount)


@dataclass(frozen=True)
class PaperBlock:
    ref: BlockRef
    payments: tuple[Payment, ...]

    def destinations(self) -> set[bytes]:
        return {payment.key for payment in self.payments}

    def credits(self, to: Container[bytes]) -> list[Credit]:
        return [payment.credit for payment in self.payments if payment.key in to]

    def spent(self) -> set[str]:
        return set()

    def outputs(self) -> Pieces:
        raw, starts = b"", []
        for payment in self.payments:
            starts.append(len(raw))
            raw += compact_size(len(payment.key)) + payment.key
        return Pieces(raw, starts)

    def credits_at(self, places: Iterable[int]) -> list[Credit]:
        return [self.payments[place].credit for place in places]

    def inputs(self) -> Pieces:
        return Pieces(b"", (), 36)

    def spends_at(self, places: Iterable[int]) -> list[Spend]:
        return []


@dataclass
class PaperChain:
    """One node's view; `down` makes it fail at the next question with this probability."""

    random: Random
    blocks: list[PaperBlock] = field(default_factory=list)
    waiting: dict[str, Payment] = field(default_factory=dict)
    down: float = 0.0
    reorganisations: int = 0
    outages: int = 0

    def __post_init__(self) -> None:
        self._numbers = count(1)
        self.mine()

    def pay(self, key: bytes, amount: int) -> str:
        payment = Payment(f"{next(self._numbers):064x}", key, amount)
        self.waiting[payment.txid] = payment
        return payment.txid

    def mine(self, *, share: float = 1.0) -> None:
        """A block with a share of what waits."""
        taken = [payment for payment in self.waiting.values() if self.random.random() < share]
        parent = self.blocks[-1].ref.hash if self.blocks else "0" * 64
        ref = BlockRef(len(self.blocks), f"{next(self._numbers):064x}", parent, 1_700_000_000 + len(self.blocks))
        self.blocks.append(PaperBlock(ref, tuple(taken)))
        for payment in taken:
            del self.waiting[payment.txid]

    def reorganise(self, depth: int, *, lost: float) -> None:
        """Another branch one block longer; of what the old one held, a share is never mined again."""
        depth = min(depth, len(self.blocks) - 1)
        gone = self.blocks[len(self.blocks) - depth :]
        del self.blocks[len(self.blocks) - depth :]
        for block in gone:
            self.waiting.update({p.txid: p for p in block.payments if self.random.random() >= lost})
        for _ in range(depth + 1):
            self.mine(share=0.3)
        self.reorganisations += 1

    def mined(self) -> dict[str, tuple[int, Payment]]:
        """Every payment of the branch that counts, with its height."""
        return {p.txid: (block.ref.height, p) for block in self.blocks for p in block.payments}

    # --- what a node answers -------------------------------------------------------------------------------------

    def check(self) -> None:
        self._asked()

    def tip(self) -> BlockRef:
        self._asked()
        return self.blocks[-1].ref

    def block_ref(self, height: int) -> BlockRef:
        return self.block(height).ref

    def block(self, height: int) -> PaperBlock:
        self._asked()
        if not 0 <= height < len(self.blocks):
            raise BlockNotFound(f"there is no block at {height}")
        return self.blocks[height]

    def mempool(self) -> PaperMempool:
        self._asked()
        return PaperMempool(tuple(self.waiting.values()))

    def confirmation(self, txid: str, *, block_hash: str = "") -> Confirmation:
        self._asked()
        if txid in self.waiting:
            return Confirmation("mempool")
        found = self.mined().get(txid)
        return Confirmation("unknown") if found is None else Confirmation("mined", height=found[0])

    def _asked(self) -> None:
        if self.random.random() < self.down:
            self.outages += 1
            raise NodeUnavailable("the line is cut")


@dataclass(frozen=True)
class PaperMempool:
    payments: tuple[Payment, ...]

    def destinations(self) -> set[bytes]:
        return {payment.key for payment in self.payments}

    def spender(self, spend_key: str) -> str | None:
        return None

    def transactions(self, to: Container[bytes]) -> list[PendingTransaction]:
        return [PendingTransaction(p.txid, (p.credit,), (), True) for p in self.payments if p.key in to]
