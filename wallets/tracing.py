"""Staff's search: one word (an address, a txid, a block's hash or height, a customer, an id) found wherever coins left a trace.

Every question goes by an index and is cut off at LIMIT rows, so it costs the same at a hundred rows and at a hundred million.
What must never happen here: a scan of a table, or a write.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from exchange.accounts import selectors as accounts
from exchange.assets import selectors as assets
from exchange.assets.selectors import NetworkView
from exchange.core import amounts
from wallets import nodes
from wallets.chains.protocol import ChainError
from wallets.models import Address, Block, Coin, Deposit, Movement, Payout, PayoutVersion, Withdrawal

LIMIT = 50
BIGINT_MAX = 2**63 - 1
_HASH = re.compile(r"(0x)?[0-9a-f]{64}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Line:
    """One trace. `model` and `pk` name its row; `explorer` is a page of the network's explorer about it, or ""."""

    what: str
    network: str
    model: str
    pk: Any
    at: datetime | None = None
    height: int | None = None
    amount: str = ""
    state: str = ""
    txid: str = ""
    text: str = ""
    owner_id: int | None = None
    explorer: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found for a word, and as what it was understood ("address", "hash", "number", "id", "e-mail", "nothing")."""

    word: str
    understood: str
    lines: tuple[Line, ...]


def find(word: str) -> Findings:
    """Everything that bears this name, newest first. At most a dozen indexed queries, whatever the size of the tables."""
    word = word.strip()[:200]
    understood, ask = _reading(word)
    search = _Search()
    lines = list(ask(search, word)) if ask else []
    return Findings(word, understood, tuple(sorted(lines, key=_newest)))


def _reading(word: str) -> tuple[str, Callable[[_Search, str], Iterable[Line]] | None]:
    low = word.lower()
    if _HASH.fullmatch(low):
        return "hash", _Search.by_hash
    if _UUID.fullmatch(low):
        return "id", _Search.by_id
    if word.isascii() and word.isdecimal() and int(word) <= BIGINT_MAX:
        return "number", _Search.by_number
    if "@" in word:
        return "e-mail", _Search.by_email
    return ("address", _Search.by_address) if word.isascii() and word.isalnum() else ("nothing", None)


def _newest(line: Line) -> tuple[float, int]:
    return (-(line.at.timestamp() if line.at else 0), -(line.height or 0))


class _Search:
    """One search's tables of names, read once."""

    def __init__(self) -> None:
        self.networks: dict[int, NetworkView] = {network.id: network for network in assets.networks()}
        self.assets = {asset.id: asset for asset in assets.assets(enabled_only=False)}

    def by_hash(self, word: str) -> Iterable[Line]:
        txid = word.lower()
        for block in Block.objects.filter(hash=txid)[:LIMIT]:
            yield self._block(block)
        yield from self._transactions(Q(txid=txid), Q(txid=txid) | Q(spent_txid=txid))
        for version in PayoutVersion.objects.select_related("payout").filter(txid=txid)[:LIMIT]:
            yield self._payout(version.payout, text=f"version {version.number}, {version.kind}", txid=txid)
            yield from self._withdrawals(Q(payout_id=version.payout_id))

    def by_id(self, word: str) -> Iterable[Line]:
        row_id = UUID(word)
        yield from self._deposits(Q(id=row_id))
        yield from self._withdrawals(Q(id=row_id))
        yield from self._payouts(Q(id=row_id))

    def by_number(self, word: str) -> Iterable[Line]:
        """A height on each network, and a customer."""
        number = int(word)
        here = Q(network_id__in=list(self.networks))
        for block in Block.objects.filter(here, height=number)[:LIMIT]:
            yield self._block(block)
        yield from self._deposits(here & Q(block_height=number))
        yield from self._payouts(here & Q(block_height=number))
        yield from self._customer(number)

    def by_email(self, word: str) -> Iterable[Line]:
        person = accounts.by_email(word)
        return self._customer(person.id) if person is not None else ()

    def by_address(self, word: str) -> Iterable[Line]:
        """The address's own row and its whole history; what we paid to it, whoever's it is."""
        names = self._spellings(word)
        ours = list(Address.objects.filter(address__in=names)[:LIMIT])
        yield from (self._address(row) for row in ours)
        ids = [row.pk for row in ours]
        if ids:
            yield from self._transactions(Q(address_id__in=ids), Q(address_id__in=ids))
            yield from self._payouts(Q(address_id__in=ids))
        yield from self._withdrawals(Q(address__in=names))
        yield from self._payouts(Q(destination__in=names))

    def _spellings(self, word: str) -> list[str]:
        """How the word stands in our tables: checksummed for EVM, in small letters for bech32."""
        found = {word}
        for network in self.networks.values():
            try:
                found.add(nodes.rules(network.code).parse(word).text)
            except (ChainError, KeyError):
                continue
        return sorted(found)

    def _customer(self, owner_id: int) -> Iterable[Line]:
        yield from (self._address(row) for row in Address.objects.filter(owner_id=owner_id)[:LIMIT])
        yield from self._deposits(Q(owner_id=owner_id))
        yield from self._withdrawals(Q(owner_id=owner_id))

    def _transactions(self, deposits: Q, coins: Q) -> Iterable[Line]:
        yield from self._deposits(deposits)
        # Two halves of an OR, each by its own index.
        for coin in Coin.objects.select_related("address").filter(coins)[:LIMIT]:
            yield self._coin(coin)
        for move in Movement.objects.select_related("address").filter(deposits)[:LIMIT]:
            yield self._movement(move)

    def _deposits(self, which: Q) -> Iterable[Line]:
        for row in Deposit.objects.select_related("address").filter(which).order_by("-id")[:LIMIT]:
            yield replace(
                self._line("deposit", row, "deposit", txid=row.txid, at=row.seen_at, height=row.block_height),
                amount=self._amount(row.amount, row.asset_id),
                state=f"{row.state}, replaced by {row.replaced_by}" if row.replaced_by else row.state,
                text=row.address.address,
                owner_id=row.owner_id,
            )

    def _withdrawals(self, which: Q) -> Iterable[Line]:
        for row in Withdrawal.objects.select_related("payout").filter(which).order_by("-id")[:LIMIT]:
            txid = row.payout.txid if row.payout else ""
            yield replace(
                self._line("withdrawal", row, "withdrawal", txid=txid, at=row.requested_at, height=None),
                amount=self._amount(row.amount, row.asset_id),
                state=row.state,
                text=row.address,
                owner_id=row.owner_id,
            )

    def _payouts(self, which: Q) -> Iterable[Line]:
        for row in Payout.objects.filter(which).order_by("-id")[:LIMIT]:
            yield self._payout(row)

    def _payout(self, row: Payout, *, text: str = "", txid: str = "") -> Line:
        line = self._line(row.kind, row, "payout", txid=txid or row.txid, at=row.created_at, height=row.block_height)
        amount = "" if row.amount is None else self._amount(row.amount, row.asset_id)
        return replace(line, amount=amount, state=row.state, text=text or row.destination)

    def _coin(self, row: Coin) -> Line:
        network = self.networks[row.network_id]
        spent = f"spent at {row.spent_height}" if row.spent_txid else "unspent" if row.block_height else "in no block"
        return replace(
            self._line("coin", row, "", txid=row.txid, at=None, height=row.block_height),
            amount=self._amount(row.amount, network.own_coin_id),
            state=spent,
            text=f"output {row.vout} to {row.address.address}",
            owner_id=row.address.owner_id,
        )

    def _movement(self, row: Movement) -> Line:
        return replace(
            self._line("movement", row, "", txid=row.txid, at=None, height=row.block_height),
            amount=self._amount(row.delta, row.asset_id),
            text=f"{row.position} at {row.address.address}",
            owner_id=row.address.owner_id,
        )

    def _address(self, row: Address) -> Line:
        line = self._line(f"{row.purpose} address", row, "address", txid="", at=row.created_at, height=None)
        page = self.networks[row.network_id].explorer_address.replace("{address}", row.address)
        return replace(line, text=row.address, owner_id=row.owner_id, state=row.reference, explorer=page)

    def _block(self, row: Block) -> Line:
        line = self._line("block", row, "block", txid="", at=row.time, height=row.height)
        page = self.networks[row.network_id].explorer_block.replace("{block}", str(row.height))
        state = f"left at {row.orphaned_at:%Y-%m-%d %H:%M}" if row.orphaned_at else "scanned"
        return replace(line, text=row.hash, state=state, explorer=page)

    def _line(self, what: str, row: Any, model: str, *, txid: str, at: datetime | None, height: int | None) -> Line:
        network = self.networks[row.network_id]
        page = network.explorer.replace("{txid}", txid) if txid else ""
        return Line(what, network.code, model, row.pk, at=at, height=height, txid=txid, explorer=page)

    def _amount(self, base_units: int, asset_id: int) -> str:
        asset = self.assets[asset_id]
        return f"{amounts.format(base_units, decimals=asset.decimals)} {asset.code}"
