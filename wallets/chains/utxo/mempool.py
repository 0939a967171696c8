"""The node's mempool as far as it can be ours: who is paid, which coins are used up, and who may be replaced.

A transaction seen here may still be replaced or dropped: it is shown, never credited. A vanished one is explained by
`spender`: whoever now uses the same coin. What must never happen here: a transaction fetched twice, or memory without a bound.
"""

from __future__ import annotations

import threading
from collections.abc import Container, Iterable
from dataclasses import dataclass

from wallets.chains.protocol import Credit, MalformedData, PendingTransaction
from wallets.chains.utxo import transaction
from wallets.chains.utxo.rpc import Rpc

FETCH_MAX = 5_000  # transactions a reading; the rest comes with the next one
KEPT_MAX = 300_000
ANCESTORS_MAX = 100  # nodes hold no longer chains of waiting transactions


@dataclass(frozen=True, slots=True)
class MempoolEntry:
    """What one waiting transaction pays (base units) and weighs (vbytes); ancestors and descendants count itself in."""

    fee: int
    vsize: int
    ancestor_fees: int
    ancestor_vsize: int
    descendant_fees: int


@dataclass(frozen=True, slots=True)
class _Entry:
    outputs: tuple[tuple[bytes, int], ...]
    spends: tuple[str, ...]
    replaceable: bool


class UtxoMempool:
    """What waited when it was read. Immutable for its reader."""

    def __init__(self, entries: dict[str, _Entry]) -> None:
        self._entries = entries
        self._spenders: dict[str, str] | None = None

    def __contains__(self, txid: str) -> bool:
        return txid in self._entries

    def destinations(self) -> set[bytes]:
        """Every script that is paid by something waiting."""
        return {script for entry in self._entries.values() for script, _ in entry.outputs}

    def transactions(self, to: Container[bytes]) -> list[PendingTransaction]:
        """What would pay one of these scripts."""
        found = []
        for txid, entry in self._entries.items():
            credits = tuple(
                Credit(txid, str(vout), script, amount)
                for vout, (script, amount) in enumerate(entry.outputs)
                if amount and script in to
            )
            if credits:
                found.append(PendingTransaction(txid, credits, entry.spends, self.replaceable(txid)))
        return found

    def replaceable(self, txid: str) -> bool:
        """Whether its sender may replace it: it says so itself, or something it waits for does (BIP125).

        A node with full replacement takes others as well; that a flag is missing is no promise.
        """
        seen: set[str] = set()
        ahead = [txid]
        while ahead and len(seen) < ANCESTORS_MAX:
            each = ahead.pop()
            entry = self._entries.get(each)
            if entry is None or each in seen:
                continue
            if entry.replaceable:
                return True
            seen.add(each)
            ahead += [spent.partition(":")[0] for spent in entry.spends]
        return False

    def spender(self, spend_key: str) -> str | None:
        """The waiting transaction that uses this outpoint, if there is one."""
        if self._spenders is None:
            self._spenders = {spent: txid for txid, entry in self._entries.items() for spent in entry.spends}
        return self._spenders.get(spend_key)

    def conflicts(self, spends: Iterable[str], *, but: str = "") -> set[str]:
        """Waiting transactions that use up one of these outpoints: at most one of them and of `but` will be mined."""
        return {txid for spent in spends if (txid := self.spender(spent)) is not None and txid != but}


class MempoolReader:
    """Keeps what it has fetched, so that a reading costs by what is new. Safe to share between threads."""

    def __init__(self, rpc: Rpc, *, replacement: bool) -> None:
        self._rpc = rpc
        self._replacement = replacement
        self._kept: dict[str, _Entry] = {}
        self._lock = threading.Lock()

    def read(self) -> UtxoMempool:
        """The mempool now. Raises NodeUnavailable or MalformedData."""
        listed = self._rpc.call("getrawmempool")
        if not isinstance(listed, list) or not all(isinstance(txid, str) for txid in listed):
            raise MalformedData("getrawmempool did not give a list of txids")
        with self._lock:
            waiting = dict.fromkeys(listed[:KEPT_MAX])
            kept = {txid: entry for txid, entry in self._kept.items() if txid in waiting}
            new = [txid for txid in waiting if txid not in kept][:FETCH_MAX]
            if new:
                answers = self._rpc.batch([("getrawtransaction", txid) for txid in new])
                kept.update(
                    {txid: self._entry(raw) for txid, raw in zip(new, answers, strict=True) if isinstance(raw, str)}
                )
            self._kept = kept
            return UtxoMempool(dict(kept))

    def _entry(self, raw: str) -> _Entry:
        try:
            decoded = transaction.decode(bytes.fromhex(raw))
        except ValueError:
            raise MalformedData("a raw transaction is not hexadecimal") from None
        return _Entry(
            outputs=tuple((output.script, output.amount) for output in decoded.outputs),
            spends=tuple(coin.outpoint for coin in decoded.inputs),
            replaceable=self._replacement and decoded.replaceable,
        )
