"""The set of every script we watch, in memory, so that matching a block costs by the block and not by our addresses.

It is filled once and then only grows by the rows that are new. New rows are found by (xpub, index): an index is
taken under the xpub's row lock, so indexes become visible in order, which ids do not. What must never happen here: an
address left out that somebody may already pay to (so: refresh after the block was fetched, before it is matched).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

from wallets.models import Address, Xpub


@dataclass
class WatchSet:
    """The watch keys of one network: output scripts (utxo) or 20-byte accounts (evm)."""

    network_id: int
    keys: set[bytes] = field(default_factory=set)
    # How many indexes of each xpub are in `keys`. By the xpub's text: it alone decides what is derived from it.
    _loaded: dict[str, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def refresh(self) -> set[bytes]:
        """Adds the addresses made since the last call. One query when there are none."""
        with self._lock:
            for xpub in Xpub.objects.filter(network_id=self.network_id):
                if self._loaded.get(xpub.xpub, 0) < xpub.next_index:
                    self._load(xpub)
        return self.keys

    def _load(self, xpub: Xpub) -> None:
        loaded = self._loaded.get(xpub.xpub, 0)
        rows = Address.objects.filter(xpub_id=xpub.pk, index__gte=loaded, index__lt=xpub.next_index)
        for script in rows.values_list("script", flat=True).iterator(chunk_size=10_000):
            self.keys.add(bytes(script))
        self._loaded[xpub.xpub] = xpub.next_index


class Senders:
    """Which "0xSender:nonce" keys of a block are spends of an account of ours."""

    def __init__(self, keys: set[bytes]) -> None:
        self.keys = keys

    def __contains__(self, spend: object) -> bool:
        sender = str(spend).partition(":")[0]
        return bytes.fromhex(sender.removeprefix("0x")) in self.keys


_sets: dict[int, WatchSet] = {}


def of(network_id: int) -> WatchSet:
    """This process's watch set of the network."""
    return _sets.setdefault(network_id, WatchSet(network_id))
