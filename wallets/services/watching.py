"""What we watch, in memory, so that matching a block costs by the block and not by what we watch: our addresses, our coins.

Both registries are filled once and then only grow by the rows that are new. New addresses are found by (account, index): an
index is taken under its account's row lock, so indexes become visible in order, which ids do not. New coins are found by id:
a network's coins are written under its cursor's lock, one block after the other. What is in memory are fingerprints: a hit is a
maybe that the caller confirms in the database. What must never happen here: an address left out that somebody may already pay
to (so: refresh after the block was fetched, before it is matched).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from threading import Lock

from django.db import connection

from wallets.chains.pieces import Pieces
from wallets.chains.utxo.block import prevout
from wallets.fingerprints import Fingerprints

# Rows read at once while a registry is filled.
PAGE = 50_000

ACCOUNTS = """
SELECT xpub, 'xpub_id', id, branch, next_index FROM wallets_xpub, (VALUES (0), (1)) AS b(branch) WHERE network_id = %s
UNION ALL SELECT descriptor, 'cold_id', id, 0, next_index FROM wallets_cold_wallet WHERE network_id = %s
UNION ALL SELECT descriptor, 'cold_id', id, 1, change_index FROM wallets_cold_wallet WHERE network_id = %s
"""
NEWER_COINS = "SELECT id, txid, vout FROM wallets_coin WHERE network_id = %s AND id >= %s ORDER BY id LIMIT %s"


@dataclass
class Registry:
    """A growing set of byte strings that several threads may ask."""

    network_id: int
    keys: Fingerprints = field(default_factory=Fingerprints)
    lock: Lock = field(default_factory=Lock)

    def __contains__(self, key: object) -> bool:
        with self.lock:
            return key in self.keys

    def __len__(self) -> int:
        return len(self.keys)

    def hits(self, keys: Iterable[bytes]) -> set[bytes]:
        """Those that are (as good as surely) ours. A key that is left out is not ours."""
        with self.lock:
            return self.keys.hits(keys)

    def find(self, pieces: Pieces, *, also: Iterable[bytes] = ()) -> list[int]:
        """The numbers of those pieces of a block that are, in the same sense, ours, or one of `also`."""
        with self.lock:
            return self.keys.find(pieces, also=also)


@dataclass
class WatchSet(Registry):
    """The watch keys of one network: output scripts (utxo) or 20-byte accounts (evm)."""

    # How many indexes of each account's branch are in. By the account's text: it alone decides what is derived from it.
    _loaded: dict[tuple[str, int], int] = field(default_factory=dict)

    def refresh(self) -> WatchSet:
        """Adds the addresses made since the last call. One query when there are none."""
        with self.lock:
            for text, column, account_id, branch, made in self._accounts():
                loaded = self._loaded.get((text, branch), 0)
                if loaded < made:
                    self._load((column, account_id, branch), loaded, made)
                    self._loaded[(text, branch)] = made
        return self

    def _accounts(self) -> list[tuple[str, str, int, int, int]]:
        """(text, column, id, branch, addresses made) of every branch of every account that was ever ours."""
        with connection.cursor() as cursor:
            cursor.execute(ACCOUNTS, [self.network_id, self.network_id, self.network_id])
            return list(cursor.fetchall())

    def _load(self, account: tuple[str, int, int], start: int, end: int) -> None:
        many = end - start > PAGE
        for low in range(start, end, PAGE):
            for length, scripts in _pages(*account, low, min(end, low + PAGE)):
                self.keys.extend_joined(scripts, length, expected=end if many else 0)


def _pages(column: str, value: int, branch: int, low: int, high: int) -> Iterator[tuple[int, bytes]]:
    """The scripts of a range of indexes, joined, one answer for each length: a row of its own for each would cost the most."""
    assert column in ("xpub_id", "cold_id")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT length(script), string_agg(script, ''::bytea) FROM wallets_address "  # noqa: S608 - one of two names
            f'WHERE {column} = %s AND branch = %s AND "index" >= %s AND "index" < %s GROUP BY 1',
            [value, branch, low, high],
        )
        for length, joined in cursor.fetchall():
            yield length, bytes(joined)


@dataclass
class CoinSet(Registry):
    """The outpoints of every coin of ours that a block may still spend, as the 36 bytes by which an input names them."""

    # The newest row that is in: (id, txid, vout).
    _newest: tuple[int, str, int] = (0, "", 0)

    def refresh(self) -> CoinSet:
        """Adds the coins written since the last call. One query when there are none."""
        with self.lock:
            while True:
                rows = self._page()
                if self._newest[0] and rows[:1] != [self._newest]:
                    # The database is not the one we knew (a backup was put back): everything is read anew.
                    self.keys, self._newest = Fingerprints(), (0, "", 0)
                    continue
                new = rows[1:] if self._newest[0] else rows
                if not new:
                    return self
                self.keys.extend(prevout(txid, vout) for _, txid, vout in new)
                self._newest = new[-1]

    def _page(self) -> list[tuple[int, str, int]]:
        """The newest row that we know, and those after it."""
        with connection.cursor() as cursor:
            cursor.execute(NEWER_COINS, [self.network_id, self._newest[0], PAGE])
            return list(cursor.fetchall())


def confirmed_outpoints(network_id: int, prevouts: Iterable[bytes]) -> set[bytes]:
    """Which of these outpoints the database knows as coins of ours. One lookup in an index, for the few that hit."""
    names = {each: (each[31::-1].hex(), int.from_bytes(each[32:], "little")) for each in prevouts}
    if not names:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.txid, c.vout FROM unnest(%s::text[], %s::bigint[]) AS s(txid, vout) "
            "JOIN wallets_coin c ON c.network_id = %s AND c.txid = s.txid AND c.vout = s.vout",
            [[txid for txid, _ in names.values()], [vout for _, vout in names.values()], network_id],
        )
        ours = set(cursor.fetchall())
    return {each for each, name in names.items() if name in ours}


_sets: dict[int, WatchSet] = {}
_coins: dict[int, CoinSet] = {}


def of(network_id: int) -> WatchSet:
    """This process's watch set of the network."""
    return _sets.setdefault(network_id, WatchSet(network_id))


def coins(network_id: int) -> CoinSet:
    """This process's registry of the network's coins."""
    return _coins.setdefault(network_id, CoinSet(network_id))
